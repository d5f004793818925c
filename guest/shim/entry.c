/* The guest's exports. One entry runs a start or a call to its end: the method, its microtasks and
   its timers, and the JSON text of what came of it. */

/* Puts the UTF-8 of a string (consumed) where the host finds it. */
static void write_output(JSValue string, uint32_t *pointer, uint32_t *length)
{
    size_t size;
    char *text = JS_IsString(string) ? text_to_utf8(string, &size) : NULL;
    if (!text)
        __builtin_trap();
    JS_FreeValue(ctx, string);
    *pointer = (uint32_t)(uintptr_t)text;
    *length = size;
}

static int end_thrown(void)
{
    JSValue thrown = JS_GetException(ctx), stack = report_stack(thrown);
    write_output(report_json(thrown), &output.text, &output.text_length);
    if (JS_IsString(stack))
        write_output(stack, &output.stack, &output.stack_length);
    JS_FreeValue(ctx, thrown);
    return ENDED_THROWN;
}

/* Waits for `value` (consumed; may be an exception) and writes what came of it. */
static int end_with(JSValue value)
{
    bool pending;
    value = settled(value, &pending);
    if (pending)
        return ENDED_NEVER_SETTLED;
    if (JS_IsException(value))
        return end_thrown();
    JSValue text = JS_JSONStringify(ctx, value, JS_UNDEFINED, JS_UNDEFINED);
    JS_FreeValue(ctx, value);
    if (JS_IsException(text))
        return end_thrown();
    if (JS_IsUndefined(text))
        return ENDED_WITH_NOTHING;
    write_output(text, &output.text, &output.text_length);
    return ENDED_WITH_VALUE;
}

static void free_output(uint32_t *pointer, uint32_t *length)
{
    js_free(ctx, (void *)(uintptr_t)*pointer);
    *pointer = *length = 0;
}

static void entry_begin(int64_t time_ms)
{
    JS_UpdateStackTop(rt);
    free_output(&output.text, &output.text_length);
    free_output(&output.stack, &output.stack_length);
    free_output(&output.exports, &output.exports_length);
    entry_time_ms = time_ms;
    random_seeded = false;
    console_bytes_used = 0;
    caller_id = JS_NULL;
}

/* Drains what writing the outcome queued, and drops timers and caller. */
static int entry_end(int ended)
{
    drain();
    if (JS_IsException(JS_Call(ctx, boot_end, JS_UNDEFINED, 0, NULL)))
        __builtin_trap();
    JS_FreeValue(ctx, caller_id);
    caller_id = JS_NULL;
    free(input_large);
    input_large = NULL;
    output.input = (uint32_t)(uintptr_t)input_small;
    output.input_capacity = INPUT_BYTES;
    return ended;
}

/* module.exports[name] if it is an own enumerable function, undefined if not. */
static JSValue export_function(JSValueConst exports, JSAtom name)
{
    JSPropertyDescriptor found;
    if (!JS_IsObject(exports))
        return JS_UNDEFINED;
    int own = JS_GetOwnProperty(ctx, &found, exports, name);
    if (own < 0)
        return JS_EXCEPTION;
    if (own == 0)
        return JS_UNDEFINED;
    JS_FreeValue(ctx, found.getter);
    JS_FreeValue(ctx, found.setter);
    JS_FreeValue(ctx, found.value);
    if (!(found.flags & JS_PROP_ENUMERABLE))
        return JS_UNDEFINED;
    JSValue function = JS_GetProperty(ctx, exports, name);
    if (JS_IsException(function) || JS_IsFunction(ctx, function))
        return function;
    JS_FreeValue(ctx, function);
    return JS_UNDEFINED;
}

/* Runs the body of a CommonJS module (consumed). */
static JSValue run_function(JSValue script)
{
    JSValue exports = JS_GetPropertyStr(ctx, module, "exports");
    JSValue require = JS_GetPropertyStr(ctx, module, "require");
    JSValueConst arguments[] = { exports, require, module };
    JSValue loaded = JS_Call(ctx, script, exports, countof(arguments), arguments);
    JS_FreeValue(ctx, script);
    JS_FreeValue(ctx, require);
    JS_FreeValue(ctx, exports);
    return loaded;
}

/* What an ES module offers: its namespace, or the object that is its only export, as `default`. */
static JSValue module_exports(JSModuleDef *m)
{
    JSPropertyEnum *names;
    uint32_t count;
    JSValue namespace = JS_GetModuleNamespace(ctx, m);
    if (JS_IsException(namespace)
        || JS_GetOwnPropertyNames(ctx, &names, &count, namespace, JS_GPN_STRING_MASK))
        return JS_EXCEPTION;
    bool alone = count == 1 && names[0].atom == JS_ATOM_default;
    JS_FreePropertyEnum(ctx, names, count);
    if (!alone)
        return namespace;
    JSValue value = JS_GetProperty(ctx, namespace, JS_ATOM_default);
    if (JS_IsException(value) || (JS_IsObject(value) && !JS_IsFunction(ctx, value))) {
        JS_FreeValue(ctx, namespace);
        return value;
    }
    JS_FreeValue(ctx, value);
    return namespace;
}

/* Runs an ES module to its end. */
static JSValue run_module(JSModuleDef *m, bool *pending)
{
    if (js_resolve_module(ctx, m) < 0)
        return JS_EXCEPTION;
    JSValue loaded = settled(JS_EvalFunction(ctx, JS_NewModuleValue(ctx, m)), pending);
    if (*pending || JS_IsException(loaded))
        return loaded;
    JS_FreeValue(ctx, loaded);
    JSValue exports = module_exports(m);
    if (JS_IsException(exports) || JS_SetPropertyStr(ctx, module, "exports", exports) < 0)
        return JS_EXCEPTION;
    return JS_UNDEFINED;
}

static int load(const char *code, size_t length, const char *run)
{
    JSModuleDef *m;
    bool pending = false;
    JSValue script = script_compile(code, length, &m);
    if (JS_IsException(script))
        return end_thrown();
    JSValue loaded = m ? run_module(m, &pending) : run_function(script);
    if (pending)
        return ENDED_NEVER_SETTLED;
    if (JS_IsException(loaded))
        return end_with(loaded);
    JS_FreeValue(ctx, loaded);
    drain();
    if (!run)
        return ENDED_WITH_NOTHING;
    JSValue exports = JS_GetPropertyStr(ctx, module, "exports");
    if (JS_IsException(exports))
        return end_thrown();
    JSAtom name = JS_NewAtom(ctx, run);
    JSValue function = export_function(exports, name);
    JS_FreeAtom(ctx, name);
    int ended = ENDED_WITH_NOTHING;
    if (JS_IsException(function))
        ended = end_thrown();
    else if (!JS_IsUndefined(function))
        ended = end_with(JS_Call(ctx, function, exports, 0, NULL));
    JS_FreeValue(ctx, function);
    JS_FreeValue(ctx, exports);
    return ended;
}

static int call_export(JSAtom name, const char *json, size_t json_length)
{
    JSValue exports = JS_GetPropertyStr(ctx, module, "exports");
    JSValue function = JS_IsException(exports) ? exports : export_function(exports, name);
    int ended;
    if (JS_IsException(function)) {
        ended = end_thrown();
    } else if (JS_IsUndefined(function)) {
        ended = ENDED_NO_METHOD;
    } else {
        JSValue list = JS_ParseJSON(ctx, json, json_length, "arguments"), result = JS_EXCEPTION;
        uint32_t count;
        JSValue *arguments = JS_IsException(list) ? NULL : build_arg_list(ctx, &count, list);
        JS_FreeValue(ctx, list);
        if (arguments) {
            result = JS_Call(ctx, function, exports, count, vc(arguments));
            free_arg_list(ctx, arguments, count);
        }
        ended = end_with(result);
    }
    JS_FreeValue(ctx, function);
    JS_FreeValue(ctx, exports);
    return ended;
}

/* Room for a request that does not fit the small buffer; 0 if there is none. */
uint32_t GUEST_EXPORT(reserve)(uint32_t length)
{
    free(input_large);
    input_large = malloc((size_t)length + 1);
    output.input = (uint32_t)(uintptr_t)input_large;
    output.input_capacity = input_large ? length : 0;
    return output.input;
}

uint32_t GUEST_EXPORT(describe_output)(void)
{
    return (uint32_t)(uintptr_t)&output;
}

/* Loads the script: once in a guest's life. */
int GUEST_EXPORT(start)(uint32_t length)
{
    static const char *const runs[] = { NULL, "init", "upgrade" };
    struct start_request *request = (void *)(uintptr_t)output.input;
    size_t code_length = length - offsetof(struct start_request, code);
    entry_begin(request->time_ms);
    ((char *)request)[length] = 0;
    heap_bytes_max = request->memory_bytes;
    JS_SetMaxStackSize(rt, request->stack_bytes);
    console_bytes_max = request->console_bytes;
    timers_max = request->timers;
    int ended = load(request->code, code_length, runs[request->run]);
    if (ended <= ENDED_WITH_NOTHING) {
        JSValue exports = JS_GetPropertyStr(ctx, module, "exports"), list = exports;
        if (!JS_IsException(exports))
            list = JS_Call(ctx, boot_exports, JS_UNDEFINED, 1, vc(&exports));
        JS_FreeValue(ctx, exports);
        if (JS_IsException(list))
            ended = end_thrown();
        else
            write_output(list, &output.exports, &output.exports_length);
    }
    return entry_end(ended);
}

int GUEST_EXPORT(call)(uint32_t length)
{
    struct call_request *request = (void *)(uintptr_t)output.input;
    const char *at = request->rest, *end = (char *)request + length;
    ((char *)request)[length] = 0;
    entry_begin(request->time_ms);
    if (request->caller_length >= 0) {
        caller_id = JS_NewStringLen(ctx, at, request->caller_length);
        at += request->caller_length;
    }
    JSAtom name = JS_NewAtomLen(ctx, at, request->method_length);
    at += request->method_length;
    if (JS_IsException(caller_id) || name == JS_ATOM_NULL) {
        caller_id = JS_NULL;
        return entry_end(end_thrown());
    }
    int ended = call_export(name, at, end - at);
    JS_FreeAtom(ctx, name);
    return entry_end(ended);
}
