/* The functions that the boot script gets from C, as members of one object that it never shows to
   a script. They read internal slots, so that no Proxy, getter or patched prototype can lie. */

static JSValue caller_id;
static uint32_t console_bytes_max, console_bytes_used, timers_max;

#define NATIVE(name) \
    static JSValue name(JSContext *c, JSValueConst this_value, int argc, JSValueConst *argv)

/* The bytes that a typed array, DataView or ArrayBuffer shows at this moment. False for anything
   else and for detached or out-of-bounds ones; never throws. */
static bool bytes_of(JSValueConst value, uint8_t **bytes, size_t *length)
{
    if (JS_VALUE_GET_TAG(value) != JS_TAG_OBJECT)
        return false;
    JSObject *p = JS_VALUE_GET_OBJ(value);
    if (p->class_id == JS_CLASS_ARRAY_BUFFER) {
        JSArrayBuffer *buffer = p->u.array_buffer;
        *bytes = buffer->data, *length = buffer->byte_length;
        return !buffer->detached;
    }
    if (p->class_id < JS_CLASS_UINT8C_ARRAY || p->class_id > JS_CLASS_DATAVIEW)
        return false;
    JSTypedArray *view = p->u.typed_array;
    JSArrayBuffer *buffer = view->buffer->u.array_buffer;
    size_t size = view->length;
    if (buffer->detached || view->offset > (size_t)buffer->byte_length)
        return false;
    if (view->track_rab)
        size = buffer->byte_length - view->offset;
    if (size > buffer->byte_length - view->offset)
        return false;
    *bytes = buffer->data + view->offset, *length = size;
    return true;
}

/* JSON text, then with data a NUL and the bytes: the one shape of requests and answers. */
static JSValue host_request(int op, JSValueConst text, JSValueConst data)
{
    size_t text_length, data_length = 0;
    uint8_t *bytes = NULL;
    bool has_data = bytes_of(data, &bytes, &data_length);
    char *request = text_to_utf8(text, &text_length);
    if (!request)
        return JS_EXCEPTION;
    size_t length = text_length;
    if (has_data) {
        length = text_length + 1 + data_length;
        char *whole = js_realloc(ctx, request, length + 1);
        if (!whole) {
            js_free(ctx, request);
            return JS_EXCEPTION;
        }
        request = whole;
        memcpy(request + text_length + 1, bytes, data_length);
    }
    int answer_length = host_call(op, request, length);
    js_free(ctx, request);
    char *answer = js_malloc(ctx, (size_t)answer_length + 1);
    if (!answer)
        return JS_EXCEPTION;
    host_take(answer);
    answer[answer_length] = 0;
    size_t json_length = strlen(answer);
    JSValue result = JS_NewArray(ctx), value = JS_ParseJSON(ctx, answer, json_length, "host");
    if (!JS_IsException(result) && !JS_IsException(value)) {
        JS_DefinePropertyValueUint32(ctx, result, 0, value, JS_PROP_C_W_E);
        value = JS_UNDEFINED;
        if (json_length < (size_t)answer_length)
            value = JS_NewArrayBufferCopy(ctx, (uint8_t *)answer + json_length + 1,
                                          answer_length - json_length - 1);
        if (!JS_IsException(value) && !JS_IsUndefined(value))
            JS_DefinePropertyValueUint32(ctx, result, 1, js_dup(value), JS_PROP_C_W_E);
    }
    bool failed = JS_IsException(value) || JS_IsException(result);
    js_free(ctx, answer);
    JS_FreeValue(ctx, value);
    if (!failed)
        return result;
    JS_FreeValue(ctx, result);
    return JS_EXCEPTION;
}

/* files(json, bytes?) -> [answer, ArrayBuffer?] */
NATIVE(native_files)
{
    return host_request(OP_FILES, argv[0], argc > 1 ? argv[1] : JS_UNDEFINED);
}

/* log(json): to the host's console, up to the entry's limit. */
NATIVE(native_log)
{
    static const char last[] =
        "[\"warn\",\"the console limit of this call is reached: the rest is dropped\"]";
    size_t length;
    if (console_bytes_used > console_bytes_max)
        return JS_UNDEFINED;
    char *text = text_to_utf8(argv[0], &length);
    if (!text)
        return JS_EXCEPTION;
    console_bytes_used += length;
    if (console_bytes_used > console_bytes_max)
        host_call(OP_CONSOLE, last, sizeof(last) - 1);
    else
        host_call(OP_CONSOLE, text, length);
    js_free(ctx, text);
    return JS_UNDEFINED;
}

/* kind(value) -> the name of its internal class, "Proxy" and "Module" for those (whose classes have
   another's name), "" for primitives */
NATIVE(native_kind)
{
    if (JS_VALUE_GET_TAG(argv[0]) != JS_TAG_OBJECT)
        return JS_NewString(c, "");
    if (JS_GetClassID(argv[0]) == JS_CLASS_PROXY)
        return JS_NewString(c, "Proxy");
    if (JS_GetClassID(argv[0]) == JS_CLASS_MODULE_NS)
        return JS_NewString(c, "Module");
    return JS_AtomToString(c, rt->class_array[JS_VALUE_GET_OBJ(argv[0])->class_id].class_name);
}

NATIVE(native_is_bytes)
{
    uint8_t *bytes;
    size_t length;
    return JS_NewBool(c, bytes_of(argv[0], &bytes, &length));
}

/* proxyTarget(proxy) -> its target, null for a revoked one */
NATIVE(native_proxy_target)
{
    (void)c, (void)this_value, (void)argc;
    JSProxyData *proxy = JS_GetOpaque(argv[0], JS_CLASS_PROXY);
    return !proxy || proxy->is_revoked ? JS_NULL : js_dup(proxy->target);
}

/* stack(value) -> see stack.c */
NATIVE(native_stack)
{
    return stack_of(argv[0]);
}

/* promiseState(promise) -> [0 pending | 1 fulfilled | 2 rejected, value] */
NATIVE(native_promise_state)
{
    JSValue pair = JS_NewArray(c);
    if (JS_IsException(pair))
        return pair;
    JS_DefinePropertyValueUint32(c, pair, 0, JS_NewInt32(c, JS_PromiseState(c, argv[0])),
                                 JS_PROP_C_W_E);
    JS_DefinePropertyValueUint32(c, pair, 1, JS_PromiseResult(c, argv[0]), JS_PROP_C_W_E);
    return pair;
}

/* encode(string) -> ArrayBuffer */
NATIVE(native_encode)
{
    size_t length;
    char *text = text_to_utf8(argv[0], &length);
    if (!text)
        return JS_EXCEPTION;
    JSValue buffer = JS_NewArrayBufferCopy(c, (uint8_t *)text, length);
    js_free(c, text);
    return buffer;
}

/* decode(bytes, fatal) -> string */
NATIVE(native_decode)
{
    uint8_t *bytes;
    size_t length;
    if (!bytes_of(argv[0], &bytes, &length))
        return JS_ThrowTypeError(c, "not a byte source");
    return text_from_utf8(bytes, length, JS_ToBool(c, argv[1]));
}

/* decodeUtf16(bytes, fatal) -> string, from little-endian units */
NATIVE(native_decode_utf16)
{
    uint8_t *bytes;
    size_t length;
    if (!bytes_of(argv[0], &bytes, &length))
        return JS_ThrowTypeError(c, "not a byte source");
    return utf16_decode(bytes, length, JS_ToBool(c, argv[1]));
}

/* copy(bytes, start, end) -> ArrayBuffer with what lies between them */
NATIVE(native_copy)
{
    uint8_t *bytes;
    size_t length;
    double start, end;
    if (!bytes_of(argv[0], &bytes, &length))
        return JS_ThrowTypeError(c, "not a byte source");
    if (JS_ToFloat64(c, &start, argv[1]) || JS_ToFloat64(c, &end, argv[2]))
        return JS_EXCEPTION;
    size_t to = end < length ? (size_t)end : length, from = start < to ? (size_t)start : to;
    return JS_NewArrayBufferCopy(c, bytes + from, to - from);
}

/* unfinished(bytes) -> how many bytes at the end wait for the rest of their sequence */
NATIVE(native_unfinished)
{
    uint8_t *bytes;
    size_t length;
    if (!bytes_of(argv[0], &bytes, &length))
        return JS_ThrowTypeError(c, "not a byte source");
    return JS_NewInt32(c, utf8_unfinished(bytes, length));
}

NATIVE(native_caller)
{
    return js_dup(caller_id);
}

NATIVE(native_timers_max)
{
    return JS_NewUint32(c, timers_max);
}

/* random(bytes): fills them, see environment.c */
NATIVE(native_random)
{
    uint8_t *bytes;
    size_t length;
    if (!bytes_of(argv[0], &bytes, &length))
        return JS_ThrowTypeError(c, "not a byte source");
    random_fill(bytes, length);
    return JS_UNDEFINED;
}

static const JSCFunctionListEntry native_functions[] = {
    JS_CFUNC_DEF("files", 2, native_files),
    JS_CFUNC_DEF("log", 1, native_log),
    JS_CFUNC_DEF("kind", 1, native_kind),
    JS_CFUNC_DEF("isBytes", 1, native_is_bytes),
    JS_CFUNC_DEF("proxyTarget", 1, native_proxy_target),
    JS_CFUNC_DEF("stack", 1, native_stack),
    JS_CFUNC_DEF("promiseState", 1, native_promise_state),
    JS_CFUNC_DEF("encode", 1, native_encode),
    JS_CFUNC_DEF("decode", 2, native_decode),
    JS_CFUNC_DEF("decodeUtf16", 2, native_decode_utf16),
    JS_CFUNC_DEF("copy", 3, native_copy),
    JS_CFUNC_DEF("unfinished", 1, native_unfinished),
    JS_CFUNC_DEF("caller", 0, native_caller),
    JS_CFUNC_DEF("timersMax", 0, native_timers_max),
    JS_CFUNC_DEF("random", 1, native_random),
};

static void delete_named(JSValueConst object, const char *property)
{
    JSAtom name = JS_NewAtom(ctx, property);
    if (JS_DeleteProperty(ctx, object, name, 0) < 0)
        __builtin_trap();
    JS_FreeAtom(ctx, name);
}

/* What is taken away from a script: ways to see time, threads or the garbage collector, and the
   functions of a stack's frames, among which are the boot script's and those of this file. One realm
   means that deleting them here removes them for good. */
static void native_trim_globals(void)
{
    static const char *const removed[] = {
        "WeakRef", "FinalizationRegistry", "SharedArrayBuffer", "Atomics", "performance",
    };
    JSValue global = JS_GetGlobalObject(ctx), math = JS_GetPropertyStr(ctx, global, "Math");
    for (size_t i = 0; i < countof(removed); i++)
        delete_named(global, removed[i]);
    delete_named(ctx->class_proto[JS_CLASS_CALL_SITE], "getFunction");
    JS_DefinePropertyValueStr(ctx, math, "random", JS_NewCFunction(ctx, math_random, "random", 0),
                              JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    JS_FreeValue(ctx, math);
    JS_FreeValue(ctx, global);
}
