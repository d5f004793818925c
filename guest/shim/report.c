/* How what a script threw is told to the host: JSON text for the log and the caller, and the stack
   for the host's own log. Properties are read as a script would read them, so user code may run
   here; whatever it throws is dropped. */

static void drop_exception(void)
{
    JS_FreeValue(ctx, JS_GetException(ctx));
}

static bool is_error(JSValueConst value)
{
    JSClassID class_id = JS_GetClassID(value);
    return class_id == JS_CLASS_ERROR || class_id == JS_CLASS_DOM_EXCEPTION;
}

/* error[name] if that is a string, else a default. */
static JSValue error_string(JSValueConst error, const char *name, const char *otherwise)
{
    JSValue value = JS_GetPropertyStr(ctx, error, name);
    if (JS_IsString(value))
        return value;
    if (JS_IsException(value))
        drop_exception();
    JS_FreeValue(ctx, value);
    return JS_NewString(ctx, otherwise);
}

/* An own `code` that is a string or a number, else undefined. */
static JSValue error_code(JSValueConst error)
{
    JSAtom name = JS_NewAtom(ctx, "code");
    JSValue value = JS_UNDEFINED;
    if (JS_GetOwnProperty(ctx, NULL, error, name) > 0)
        value = JS_GetProperty(ctx, error, name);
    JS_FreeAtom(ctx, name);
    if (JS_IsString(value) || JS_IsNumber(value))
        return value;
    if (JS_IsException(value))
        drop_exception();
    JS_FreeValue(ctx, value);
    return JS_UNDEFINED;
}

static bool put(JSValueConst record, const char *name, JSValue value)
{
    return !JS_IsException(value)
        && JS_DefinePropertyValueStr(ctx, record, name, value, JS_PROP_C_W_E) >= 0;
}

/* {"name","message","code"?} of an Error, {"value"?} of anything else. An exception only when
   memory or stack ran out. */
static JSValue report_json(JSValueConst thrown)
{
    /* Without a prototype, so that no inherited toJSON changes what is written. */
    JSValue record = JS_NewObjectProto(ctx, JS_NULL), text;
    if (JS_IsException(record))
        return record;
    bool good;
    if (is_error(thrown)) {
        good = put(record, "name", error_string(thrown, "name", "Error"))
            && put(record, "message", error_string(thrown, "message", ""));
        JSValue code = error_code(thrown);
        if (good && !JS_IsUndefined(code))
            good = put(record, "code", code);
    } else {
        good = put(record, "value", js_dup(thrown));
    }
    text = good ? JS_JSONStringify(ctx, record, JS_UNDEFINED, JS_UNDEFINED) : JS_EXCEPTION;
    JS_FreeValue(ctx, record);
    if (!JS_IsException(text) || is_error(thrown))
        return text;
    drop_exception();
    return JS_NewString(ctx, "{}");
}

/* The stack as the engine recorded it, undefined if a script replaced it with something else. */
static JSValue report_stack(JSValueConst thrown)
{
    if (JS_GetClassID(thrown) != JS_CLASS_ERROR)
        return JS_UNDEFINED;
    JSValue stack = JS_VALUE_GET_OBJ(thrown)->u.object_data;
    return JS_IsString(stack) ? js_dup(stack) : JS_UNDEFINED;
}
