/* The WebAssembly guest: QuickJS-NG and the little that stands between it and the host.

   One translation unit, because the script loader needs the parser's internals and because
   nothing here is meant to be reused apart from the engine version that it is pinned to.

   The host's side of every structure and number below is src/nodevms/sandbox/instance.py. */

#include "mix.h"
#include "quickjs.c"

#define GUEST_EXPORT(name) __attribute__((export_name(#name), used)) name
#define GUEST_IMPORT(name) __attribute__((import_module("host"), import_name(#name)))

/* What the host may answer: see src/nodevms/sandbox/host.py. */
enum { OP_FILES = 1, OP_SEED = 2, OP_CONSOLE = 3, OP_CRYPTO = 5 };

/* Answers operation `op` and returns the length of the answer, which then waits for take(). */
GUEST_IMPORT(call) extern int host_call(int op, const void *request, int length);
/* Copies the waiting answer to `target`, which has room for all of it. */
GUEST_IMPORT(take) extern void host_take(void *target);

static JSRuntime *rt;
static JSContext *ctx;

#include "heap.c"
#include "environment.c"
#include "text.c"
#include "stack.c"
#include "native.c"
#include "builtins.c"
#include "script.c"
#include "report.c"
#include "layout.c"
#include "imports.c"
#include "settle.c"
#include "entry.c"
#include "bake.c"
