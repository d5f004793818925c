/* What `import` finds: the modules that `require` has, and nothing else. */

/* The name under which a module is kept, "node:util" for both "util" and "node:util". */
static char *import_resolve(JSContext *c, const char *base, const char *specifier, void *opaque)
{
    (void)base, (void)opaque;
    JSValue given = JS_NewString(c, specifier);
    JSValue found = JS_Call(c, boot_resolve, JS_UNDEFINED, 1, vc(&given));
    JS_FreeValue(c, given);
    if (JS_IsException(found))
        return NULL;
    const char *text = JS_ToCString(c, found);
    char *name = text ? js_strdup(c, text) : NULL;
    JS_FreeCString(c, text);
    JS_FreeValue(c, found);
    return name;
}

/* Binds what the loader found: `default` is all of it, every other name the member of it. */
static int import_bind(JSContext *c, JSModuleDef *m)
{
    JSValue exports = JS_GetModulePrivateValue(c, m);
    for (int i = 0; i < m->export_entries_count; i++) {
        JSExportEntry *entry = &m->export_entries[i];
        JSValue value = entry->export_name == JS_ATOM_default
            ? js_dup(exports) : JS_GetProperty(c, exports, entry->export_name);
        if (JS_IsException(value)) {
            JS_FreeValue(c, exports);
            return -1;
        }
        set_value(c, entry->u.local.var_ref->pvalue, value);
    }
    JS_FreeValue(c, exports);
    return 0;
}

static JSModuleDef *import_load(JSContext *c, const char *name, void *opaque,
                                JSValueConst attributes)
{
    (void)opaque, (void)attributes;
    JSPropertyEnum *members;
    uint32_t count;
    JSValue given = JS_NewString(c, name);
    JSValue exports = JS_Call(c, boot_imported, JS_UNDEFINED, 1, vc(&given));
    JS_FreeValue(c, given);
    if (JS_IsException(exports))
        return NULL;
    if (JS_GetOwnPropertyNames(c, &members, &count, exports,
                               JS_GPN_STRING_MASK | JS_GPN_ENUM_ONLY)) {
        JS_FreeValue(c, exports);
        return NULL;
    }
    JSModuleDef *m = JS_NewCModule(c, name, import_bind);
    JS_SetModulePrivateValue(c, m, exports);
    JS_AddModuleExport(c, m, "default");
    for (uint32_t i = 0; i < count; i++) {
        const char *member = JS_AtomToCString(c, members[i].atom);
        if (member && strcmp(member, "default"))
            JS_AddModuleExport(c, m, member);
        JS_FreeCString(c, member);
    }
    JS_FreePropertyEnum(c, members, count);
    return m;
}

static int import_attributes(JSContext *c, void *opaque, JSValueConst attributes)
{
    (void)opaque, (void)attributes;
    JS_ThrowTypeError(c, "Import attributes are not supported");
    return -1;
}
