/* A script is the body of a CommonJS module function or, if it cannot be one and can be an ES module,
   that. It is parsed as such, not wrapped in text: lines and columns are its own, and no brace in it
   can leave the function. */

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

/* function (exports, require, module) { <code> }, sloppy unless the code says 'use strict'. The code
   must be NUL-terminated UTF-8. Returns the function, or an exception for a syntax error; *reached is
   how far the parser came. */
static JSValue compile_function(const char *code, size_t length, size_t *reached)
{
    static const char *const parameters[] = { "exports", "require", "module" };
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
    bool good = true;
    for (size_t i = 0; good && i < countof(parameters); i++) {
        JSAtom name = JS_NewAtom(ctx, parameters[i]);
        good = add_arg(ctx, fd, name) >= 0;
        JS_FreeAtom(ctx, name);
    }
    fd->defined_arg_count = countof(parameters);
    if (good) {
        push_scope(s);
        fd->body_scope = fd->scope_level;
        good = parse_body(s, fd);
    }
    *reached = s->buf_ptr - s->buf_start;
    if (!good) {
        free_token(s, &s->token);
        js_free_function_def(ctx, fd);
        return JS_EXCEPTION;
    }
    JSValue function = js_create_function(ctx, fd);
    return JS_IsException(function) ? function : js_closure(ctx, function, NULL, NULL);
}

/* The code as an ES module whose imports are not looked for yet, or NULL with an exception pending:
   what __JS_EvalInternal does, which would mix the two. */
static JSModuleDef *compile_module(const char *code, size_t length, size_t *reached)
{
    JSParseState state, *s = &state;
    js_parse_init(ctx, s, code, length, SCRIPT_NAME, 1);
    skip_shebang(&s->buf_ptr, s->buf_end);
    JSModuleDef *m = js_new_module_def(ctx, JS_NewAtom(ctx, SCRIPT_NAME));
    JSFunctionDef *fd = js_new_function_def(ctx, NULL, true, false, SCRIPT_NAME, 1, 1);
    s->cur_func = fd;
    s->is_module = true;
    fd->module = m;
    fd->eval_type = JS_EVAL_TYPE_MODULE;
    fd->func_kind = JS_FUNC_ASYNC;
    fd->has_this_binding = fd->arguments_allowed = true;
    fd->is_strict_mode = fd->in_function_body = true;
    push_scope(s);
    fd->body_scope = fd->scope_level;
    bool good = !js_parse_program(s);
    *reached = s->buf_ptr - s->buf_start;
    if (good) {
        m->has_tla = fd->has_await;
        m->func_obj = js_create_function(ctx, fd);
        good = !JS_IsException(m->func_obj);
    } else {
        free_token(s, &s->token);
        js_free_function_def(ctx, fd);
    }
    if (good)
        return m;
    m->func_obj = JS_UNDEFINED;
    js_free_module_def(ctx, m);
    return NULL;
}

/* The script as one of the two: *m is the module, or the function is returned. If the code is neither,
   the exception is that of the parser that came further. */
static JSValue script_compile(const char *code, size_t length, JSModuleDef **m)
{
    size_t reached, module_reached;
    *m = NULL;
    JSValue function = compile_function(code, length, &reached);
    if (!JS_IsException(function))
        return function;
    JSValue thrown = JS_GetException(ctx);
    *m = compile_module(code, length, &module_reached);
    if (*m || module_reached > reached) {
        JS_FreeValue(ctx, thrown);
        return *m ? JS_UNDEFINED : JS_EXCEPTION;
    }
    JS_FreeValue(ctx, JS_GetException(ctx));
    return JS_Throw(ctx, thrown);
}
