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

/* An own `code` that is a string or a finite number, else undefined. */
static JSValue error_code(JSValueConst error)
{
    JSAtom name = JS_NewAtom(ctx, "code");
    JSValue value = JS_UNDEFINED;
    if (JS_GetOwnProperty(ctx, NULL, error, name) > 0)
        value = JS_GetProperty(ctx, error, name);
    JS_FreeAtom(ctx, name);
    bool finite = JS_IsNumber(value)
        && !(JS_TAG_IS_FLOAT64(JS_VALUE_GET_TAG(value)) && !isfinite(JS_VALUE_GET_FLOAT64(value)));
    if (JS_IsString(value) || finite)
        return value;
    if (JS_IsException(value))
        drop_exception();
    JS_FreeValue(ctx, value);
    return JS_UNDEFINED;
}

static void put_quoted(StringBuffer *text, const char *member, JSValue string)
{
    string_buffer_puts8(text, member);
    string_buffer_concat_value_free(text, JS_ToQuotedString(ctx, string));
    JS_FreeValue(ctx, string);
}

/* {"name","message","code"?} of an Error, {"value"?} of anything else. Only JSON.stringify of a
   thrown value runs what a script may have changed; without a form in JSON it is left out. */
static JSValue report_json(JSValueConst thrown)
{
    StringBuffer buffer, *text = &buffer;
    string_buffer_init(ctx, text, 0);
    if (is_error(thrown)) {
        put_quoted(text, "{\"name\":", error_string(thrown, "name", "Error"));
        put_quoted(text, ",\"message\":", error_string(thrown, "message", ""));
        JSValue code = error_code(thrown);
        if (JS_IsString(code)) {
            put_quoted(text, ",\"code\":", code);
        } else if (!JS_IsUndefined(code)) {
            string_buffer_puts8(text, ",\"code\":");
            string_buffer_concat_value_free(text, JS_ToString(ctx, code));
        }
    } else {
        JSValue value = JS_JSONStringify(ctx, thrown, JS_UNDEFINED, JS_UNDEFINED);
        string_buffer_putc8(text, '{');
        if (JS_IsException(value)) {
            drop_exception();
        } else if (!JS_IsUndefined(value)) {
            string_buffer_puts8(text, "\"value\":");
            string_buffer_concat_value_free(text, value);
        }
    }
    string_buffer_putc8(text, '}');
    return string_buffer_end(text);
}

/* The stack for the host's log, undefined if a script made something else than text of it. */
static JSValue report_stack(JSValueConst thrown)
{
    JSValue stack = stack_of(thrown);
    if (JS_IsString(stack))
        return stack;
    JS_FreeValue(ctx, stack);
    return JS_UNDEFINED;
}
