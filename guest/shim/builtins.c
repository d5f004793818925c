/* The modules that `require` gives: guest/modules, compiled. They lie in the image as plain bytes, so
   that they cost a new VM nothing, and become functions when one is asked for. And the functions that
   only these modules get. */

#define BUILTINS_MAX 16

static struct builtin {
    const char *name;
    const uint8_t *bytecode;
    size_t length;
} builtins[BUILTINS_MAX];
static size_t builtins_count;

/* builtin(name) -> function (require, module, exports, nodevms) */
NATIVE(native_builtin)
{
    const char *name = JS_ToCString(c, argv[0]);
    JSValue function = JS_UNDEFINED;
    if (!name)
        return JS_EXCEPTION;
    for (size_t i = 0; i < builtins_count; i++)
        if (!strcmp(builtins[i].name, name))
            function = JS_ReadObject(c, builtins[i].bytecode, builtins[i].length,
                                     JS_READ_OBJ_BYTECODE);
    JS_FreeCString(c, name);
    return JS_IsUndefined(function) || JS_IsException(function)
        ? function : JS_EvalFunction(c, function);
}

/* crypto(json, bytes) -> [answer, ArrayBuffer?] */
NATIVE(native_crypto)
{
    return host_request(OP_CRYPTO, argv[0], argc > 1 ? argv[1] : JS_UNDEFINED);
}

/* proxyDetails(value, both) -> the target, with `both` [target, handler]; undefined for no Proxy */
NATIVE(native_proxy_details)
{
    if (JS_GetClassID(argv[0]) != JS_CLASS_PROXY)
        return JS_UNDEFINED;
    JSValue target = JS_GetProxyTarget(c, argv[0]);
    if (!JS_ToBool(c, argv[1]))
        return target;
    JSValue pair = JS_NewArray(c);
    JS_DefinePropertyValueUint32(c, pair, 0, target, JS_PROP_C_W_E);
    JS_DefinePropertyValueUint32(c, pair, 1, JS_GetProxyHandler(c, argv[0]), JS_PROP_C_W_E);
    return pair;
}

static const JSCFunctionListEntry builtin_functions[] = {
    JS_CFUNC_DEF("builtin", 1, native_builtin),
    JS_CFUNC_DEF("crypto", 2, native_crypto),
    JS_CFUNC_DEF("proxyDetails", 2, native_proxy_details),
};
