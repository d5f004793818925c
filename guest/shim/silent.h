/* Included before every source file: the engine's debugging dumps write to nowhere, and without
   them the C library's stdio, and with it the last WASI imports, are not linked. */

#include <stdarg.h>
#include <stdio.h>

#define printf(...) ((void)0)
#define fprintf(...) ((void)0)
#define vfprintf(...) ((void)0)
#define putchar(c) ((void)0)
#define fwrite(...) ((void)0)
