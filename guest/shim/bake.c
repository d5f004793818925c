/* Used only while the image is made: guest/bake.py runs these and then removes their exports. */

static void engine_init(void)
{
    rt = JS_NewRuntime2(&heap_functions, NULL);
    JS_UpdateStackTop(rt);
    ctx = JS_NewContext(rt);
    native_trim_globals();
    /* Libraries of the prelude name their private things by a random number. */
    random_state[0] = 1;
    random_seeded = true;
    output.input = (uint32_t)(uintptr_t)input_small;
    output.input_capacity = INPUT_BYTES;
}

/* Compiles the script in the input, which stands after its name and a NUL; its bytecode, without
   the source text, is the output text. */
int GUEST_EXPORT(bake_compile)(uint32_t length)
{
    size_t size;
    engine_init();
    char *name = input_large, *source = name + strlen(name) + 1;
    name[length] = 0;
    JSValue boot = JS_Eval(ctx, source, name + length - source, name,
                           JS_EVAL_TYPE_GLOBAL | JS_EVAL_FLAG_COMPILE_ONLY);
    if (JS_IsException(boot))
        return end_thrown();
    output.text = (uint32_t)(uintptr_t)JS_WriteObject(
        ctx, &size, boot,
        JS_WRITE_OBJ_BYTECODE | JS_WRITE_OBJ_STRIP_SOURCE);
    output.text_length = size;
    return ENDED_WITH_VALUE;
}

/* Keeps a module's bytecode from the input, which stands after its name and a NUL. */
int GUEST_EXPORT(bake_add)(uint32_t length)
{
    struct builtin *next = &builtins[builtins_count++];
    if (builtins_count > BUILTINS_MAX)
        __builtin_trap();
    next->name = input_large;
    next->bytecode = (uint8_t *)input_large + strlen(input_large) + 1;
    next->length = length - (next->bytecode - (uint8_t *)input_large);
    input_large = NULL;
    return ENDED_WITH_VALUE;
}

/* Runs the boot script's bytecode in the input and keeps the functions that it returns. */
int GUEST_EXPORT(bake_run)(uint32_t length)
{
    char *bytecode = input_large;
    input_large = NULL;
    engine_init();
    JSValue boot = JS_ReadObject(ctx, (uint8_t *)bytecode, length, JS_READ_OBJ_BYTECODE);
    if (!JS_IsException(boot))
        boot = JS_EvalFunction(ctx, boot);
    if (JS_IsException(boot))
        return end_thrown();
    JSValue native = JS_NewObjectProto(ctx, JS_NULL);
    JS_SetPropertyFunctionList(ctx, native, native_functions, countof(native_functions));
    JS_SetPropertyFunctionList(ctx, native, builtin_functions, countof(builtin_functions));
    JSValue guest = JS_Call(ctx, boot, JS_UNDEFINED, 1, vc(&native));
    if (JS_IsException(guest))
        return end_thrown();
    boot_fire = JS_GetPropertyStr(ctx, guest, "fire");
    boot_end = JS_GetPropertyStr(ctx, guest, "end");
    boot_uncaught = JS_GetPropertyStr(ctx, guest, "uncaught");
    boot_exports = JS_GetPropertyStr(ctx, guest, "exports");
    boot_resolve = JS_GetPropertyStr(ctx, guest, "resolve");
    boot_imported = JS_GetPropertyStr(ctx, guest, "imported");
    module = JS_NewObject(ctx);
    JS_SetPropertyStr(ctx, module, "exports", JS_NewObject(ctx));
    JS_DefinePropertyValueStr(ctx, module, "require", JS_GetPropertyStr(ctx, guest, "require"),
                              JS_PROP_WRITABLE | JS_PROP_CONFIGURABLE);
    JS_SetModuleLoaderFunc2(rt, import_resolve, import_load, import_attributes, NULL);
    JS_SetHostPromiseRejectionTracker(rt, rejection_tracked, NULL);
    JS_FreeValue(ctx, guest);
    JS_FreeValue(ctx, native);
    JS_FreeValue(ctx, boot);
    free(bytecode);
    caller_id = JS_NULL;
    JS_RunGC(rt);
    return ENDED_WITH_VALUE;
}
