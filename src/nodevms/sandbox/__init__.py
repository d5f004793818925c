"""The engine: QuickJS-NG in WebAssembly, metered, limited and restorable."""
