/* Stacks as people read them. */

/* The stack that the engine recorded for an Error, without the frames of the boot script and those
   of natives that it called; undefined for anything else, and what Error.prepareStackTrace made of
   it if a script set that. */
static JSValue stack_of(JSValueConst value)
{
    static const char own[] = " (nodevms:", native[] = " (native)";
    size_t length;
    if (JS_GetClassID(value) != JS_CLASS_ERROR)
        return JS_UNDEFINED;
    JSValueConst stack = JS_VALUE_GET_OBJ(value)->u.object_data;
    if (!JS_IsString(stack))
        return js_dup(stack);
    char *text = text_to_utf8(stack, &length);
    if (!text)
        return JS_EXCEPTION;
    char *end = text + length, *kept = text, *natives = NULL, *next;
    for (char *line = text; line < end; line = next) {
        next = memchr(line, '\n', end - line);
        next = next ? next + 1 : end;
        size_t size = next - line;
        if (memmem(line, size, own, sizeof(own) - 1)) {
            if (natives)
                kept = natives;
            continue;
        }
        if (!memmem(line, size, native, sizeof(native) - 1))
            natives = NULL;
        else if (!natives)
            natives = kept;
        memmove(kept, line, size);
        kept += size;
    }
    if (kept > text && kept[-1] == '\n')
        kept--;
    JSValue result = JS_NewStringLen(ctx, text, kept - text);
    js_free(ctx, text);
    return result;
}
