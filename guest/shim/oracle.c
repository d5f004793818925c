/* System.oracle(fn). While native_oracle waits for its answer, the host copies this guest's memory
   into a new one, the fork, and enters that by oracle() below: fn runs there, beneath the frames of
   the call, which are never returned to. The host throws the fork away and answers with the JSON
   text of what fn ended with. A host that knows the answer already makes no fork. */

static JSValue oracle_function;

/* source(function) -> its source text; undefined for what the script did not write: natives, bound
   functions, Proxies, and everything that is no function. */
NATIVE(native_source)
{
    if (JS_VALUE_GET_TAG(argv[0]) != JS_TAG_OBJECT)
        return JS_UNDEFINED;
    JSObject *p = JS_VALUE_GET_OBJ(argv[0]);
    if (!js_class_has_bytecode(p->class_id))
        return JS_UNDEFINED;
    JSFunctionBytecode *b = p->u.func.function_bytecode;
    return b->source ? JS_NewStringLen(c, b->source, b->source_len) : JS_UNDEFINED;
}

/* oracle(source, function) -> [{"res"?} or {"err"}] */
NATIVE(native_oracle)
{
    (void)c;
    oracle_function = argv[1];
    return host_request(OP_ORACLE, argv[0], JS_UNDEFINED);
}

NATIVE(native_in_oracle)
{
    return JS_NewBool(c, in_oracle);
}

/* Runs the function of the oracle that waits. Only in a fork, once in its life. The stack's limit
   stays where the call has it: what both use together is what one may use. */
int GUEST_EXPORT(oracle)(uint32_t length)
{
    (void)length;
    in_oracle = true;
    random_seeded = false;
    return end_with(JS_Call(ctx, oracle_function, JS_UNDEFINED, 0, NULL));
}
