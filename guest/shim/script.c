/* A script is the body of a CommonJS module function. It is parsed as such, not wrapped in text:
   lines and columns are its own, and no brace in it can leave the function. */

#define SCRIPT_NAME "script.js"

static bool parse_body(JSParseState *s, JSFunctionDef *fd)
{
    BlockEnv disposal;
    bool disposes = false;
    if (next_token(s) || js_parse_directives(s)
        || js_parse_function_check_names(s, fd, JS_ATOM_NULL))
        return false;
    while (s->token.val != TOK_EOF) {
        if (js_parse_source_element(s))
            return false;
        if (!disposes && fd->scopes[fd->body_scope].has_using) {
            disposes = true;
            push_break_entry(fd, &disposal, JS_ATOM_NULL, -1, -1, 1);
            disposal.has_using = true;
            disposal.using_scope_level = fd->body_scope;
        }
    }
    if (!disposes) {
        if (js_is_live_code(s))
            emit_return(s, false);
        return true;
    }
    /* A `using` declaration at the top: as js_parse_function_decl2 ends a body that has one. */
    int label_catch = fd->scopes[fd->body_scope].using_label_catch;
    int label_end = fd->scopes[fd->body_scope].using_label_end;
    pop_break_entry(fd);
    if (js_is_live_code(s)) {
        emit_op(s, OP_drop);
        emit_op(s, OP_using_dispose_init);
        emit_op(s, OP_dispose_scope);
        emit_u16(s, fd->body_scope);
        emit_op(s, OP_using_dispose_end);
        emit_return(s, false);
    }
    emit_label(s, label_catch);
    emit_op(s, OP_dispose_scope);
    emit_u16(s, fd->body_scope);
    emit_op(s, OP_throw);
    emit_label(s, label_end);
    return true;
}

/* function (exports, module) { <code> }, sloppy unless the code says 'use strict'. The code must be
   NUL-terminated UTF-8. Returns the function, or an exception for a syntax error. */
static JSValue script_compile(const char *code, size_t length)
{
    JSParseState state, *s = &state;
    js_parse_init(ctx, s, code, length, SCRIPT_NAME, 1);
    skip_shebang(&s->buf_ptr, s->buf_end);
    JSFunctionDef *fd = js_new_function_def(ctx, NULL, false, false, SCRIPT_NAME, 1, 1);
    if (!fd)
        return JS_EXCEPTION;
    s->cur_func = fd;
    s->allow_html_comments = true;
    fd->func_kind = JS_FUNC_NORMAL;
    fd->func_type = JS_PARSE_FUNC_EXPR;
    fd->has_this_binding = fd->has_arguments_binding = true;
    fd->new_target_allowed = fd->arguments_allowed = true;
    fd->has_simple_parameter_list = true;
    fd->in_function_body = true;
    JSAtom exports = JS_NewAtom(ctx, "exports"), module = JS_NewAtom(ctx, "module");
    bool good = add_arg(ctx, fd, exports) >= 0 && add_arg(ctx, fd, module) >= 0;
    JS_FreeAtom(ctx, exports);
    JS_FreeAtom(ctx, module);
    fd->defined_arg_count = 2;
    if (good) {
        push_scope(s);
        fd->body_scope = fd->scope_level;
        good = parse_body(s, fd);
    }
    if (!good) {
        free_token(s, &s->token);
        js_free_function_def(ctx, fd);
        return JS_EXCEPTION;
    }
    JSValue function = js_create_function(ctx, fd);
    return JS_IsException(function) ? function : js_closure(ctx, function, NULL, NULL);
}
