"""The pieces that random scripts are made of: expressions and statements of JavaScript.

In a piece `@e` stands for an expression, `@n` for a small whole number, `@s` for a string, `@p` for a
path, `@c` for an encoding, `@v` for a variable, `@k` for a member's name, `@b` for statements,
`@r` for any number, odd ones too, `@m` for a module's name, and `@h` for a hash's name. Whatever a piece throws, the statement around it catches,
most of the time.
"""

from __future__ import annotations

KEY = "{format: 'jwk', key: {kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'}}"
SIGNATURE = "5VZDAMNgrHKQhuLMgG6CioSHfx645dl02HPgZSJJAVVfuIIVkKM7rMYeOXAc+bRr0lv18FlbviRlUUFDjnoQCw"
"""Of the empty message: the first test vector of RFC 8032."""

ATOMS = [
    *("x", "x", "a", "b", "c", "args[0]", "args[1]", "args.length", "@n", "@n", "@r", "@s", "@s", "null", "undefined", "true", "NaN", "-0", "[]", "({})"),
    *("10n", "Symbol.iterator", "keep.length", "table.size", "System.caller.id", "Date.now()", "Math.random()", "this", "new.target", "arguments.length"),
]  # fmt: skip

EXPRESSIONS = [
    # numbers and BigInt
    *("@e + @e", "@e - @e", "@e * @e", "@e / @e", "@e % @e", "(+@e) ** (+@e % 9)", "@e | @e", "@e >>> @e", "@e << @n", "~@e", "-@e", "+@e", "@e ^ @e", "++a", "a--"),
    *("Math.sin(@e)", "Math.atan2(@e, @e)", "Math.exp(+@e % 9)", "Math.log1p(@e)", "Math.cbrt(@e)", "Math.hypot(@e, @e)", "Math.fround(@e)", "Math.clz32(@e)", "Math.imul(@e, @e)", "Math.round(@r)"),
    *("Math.tan(@r)", "Math.pow(@r, @r)", "Math.sinh(@r % 20)", "Math.max(@e, @e, @e)", "Math.sign(@r)", "Math.expm1(@r % 30)", "Math.acosh(@r)"),
    *("(+@e).toFixed(@n % 20)", "(+@e).toString(2 + @n % 35)", "(+@e).toPrecision(1 + @n)", "(+@e).toExponential(@n)", "parseFloat(@e)", "parseInt(@e, 2 + @n % 35)", "Number(@e)"),
    *("BigInt(Math.trunc(+@e) || 7) ** BigInt(@n)", "BigInt.asUintN(@n, BigInt(@n) * -12345678901234567890n)", "(123456789012345678901234567890n * BigInt(@n + 1)) / 987654321n", "BigInt(@s)"),
    *("0x1fffffffffffffn + BigInt(@n) << 90n", "BigInt.asIntN(64, -1n << BigInt(@n))", "String(-(2n ** BigInt(@n * 9)) % 1000007n)", "5n > @e", "typeof @e", "Object.is(@e, @e)"),
    # text and regular expressions
    *("String(@e)", "`${@e}-${@e}`", "@s + @e", "@s.repeat(@n)", "@s.padStart(@n * 3, @s)", "@s.slice(-@n, @n)", "@s.split(@s)", "@s.normalize('NFKD')", "@s.at(-@n)", "@s.codePointAt(@n)"),
    *("@s.toLowerCase() + @s.toUpperCase()", "@s.replaceAll(@s, m => m + @e)", "@s.replace(/[a-c]+|\\d/giu, (...m) => JSON.stringify(m))", "@s.localeCompare(@s)", "@s.isWellFormed()", "@s.toWellFormed()"),
    *("@s.match(/(?<y>\\w)(?<z>.)?/)?.groups", "[...@s.matchAll(/(.)\\1|./gsu)].map(m => m.index)", "@s.search(/[^\\x00-\\x7f]/v)", "/^(?:(a|ab)(c|bcd)*)+$/d.exec('abcdabc' + @s)", "/(?<=\\$)\\d+(?!\\.)/.exec('$12.5 $' + @e)"),
    *("/(a+)+b/.test('a'.repeat(@n))", "/\\p{Script=Greek}|\\p{Emoji}/gu[Symbol.split](@s)", "new RegExp(@s, 'gimsuyd'[@n % 7])", "RegExp(String(@e)).source", "(re => { re.test(@s); return re.lastIndex })(/./gy)"),
    *("encodeURIComponent(@s)", "decodeURIComponent('%' + @s)", "escape(@s) + unescape(@s)", "String.raw`\\${@e}`", "@s.codePointAt() > @s", "[...@s].reverse().join('')", "String.fromCodePoint(@n * 5000)", "Symbol(@s).toString()"),
    # arrays, maps, objects
    *("[@e, @e, @e]", "[@e, , ...[@e]]", "({@k: @e, @k: @e})", "({...@v, @k: @e})", "({get @k () { return @e }, set @k (v) { a = v }})", "({toJSON () { return @e }})", "({__proto__: {@k: @e}, 2: 1, 1: 2, z: 3})"),
    *("[@e, @e, @e, @e].sort()", "[5, 3, 9, 1].sort((p, q) => p - q || @e)", "Array.from({length: @n}, (_, i) => i * 7919 % 31).sort((p, q) => p % 5 - q % 5)", "[3, 1, 2].sort(() => Math.random() - .5)", "[@e, @e].toSorted()"),
    *("Array.from({length: @n * 9}, (_, i) => ({k: i % 4, i})).sort((p, q) => q.k - p.k).map(o => o.i)", "[[@e, [@e]], @e].flat(Infinity)", "[1, 2, 3].reduce((s, v) => s + v * @n, @e)", "keep.slice(-@n)", "keep.findLast(v => typeof v === typeof @e)"),
    *("keep.push(@e)", "keep.splice(@n, 1, @e)", "keep.shift()", "keep.indexOf(@e)", "keep.copyWithin(0, @n)", "keep.concat([@e]).length", "keep.includes(NaN)", "(keep.length = Math.min(keep.length, @n))", "keep.toSpliced(0, @n).length"),
    *("table.set(@e, @e).size", "table.get(@e)", "table.delete(@e)", "[...table.keys()].length", "[...table].slice(0, 3)", "seen.add(@e).has(@e)", "[...seen].map(String)", "new Set([1, @n, 3]).union(new Set([@n, 4])).size"),
    *("Object.groupBy([@e, @e, 1, 'z'], v => typeof v)", "Map.groupBy([1, 2, @n], v => v % 2).size", "new WeakMap([[keep, @e]]).get(keep)", "Object.keys(@v)", "Object.entries(@v).length", "Reflect.ownKeys(@v)", "Object.getOwnPropertyNames(@e)"),
    *("Object.fromEntries([[@s, @e]])", "Object.assign(@v, {@k: @e})", "Object.defineProperty(@v, '@k', {value: @e, configurable: true})", "Object.freeze([@e])", "delete @v.@k", "@v.@k", "@v?.@k?.@k", "'@k' in @v", "Object.isFrozen(@v)"),
    *("Object.getOwnPropertyDescriptor(@v, '@k')", "structuredClone(@e)", "structuredClone(new Map([[@e, new Date(@n)]]))", "JSON.stringify(@e)", "JSON.stringify(@v, null, @n % 11)", "JSON.parse(JSON.stringify(@e) ?? 'null')", "JSON.stringify({a: [@e], b: @e}, ['a', 'b'])"),
    *("JSON.parse('[1,{\"q\":-0}]', (k, v) => typeof v === 'number' ? v + @n : v)", "Array(@n)", "new Array(@e)", "Array.prototype.concat.call(@e, @e)", "Array.from(@e)", "@e[Symbol.toPrimitive]", "[...@e]", "@e instanceof Object"),
    # bytes
    *("new Uint8Array(@n * 50).fill(@n)", "new Float64Array([@e, @r, NaN])", "new Float32Array([@r]).map(Math.sqrt)[0]", "new Uint8Array(new Float64Array([@r, 0 / 0, -NaN]).buffer).join()", "new DataView(new ArrayBuffer(16)).getFloat64(@n % 9)"),
    *("new Uint16Array([@n, @n, 9, 1]).sort().toReversed()", "new BigInt64Array([BigInt(@n), -1n]).toString()", "new ArrayBuffer(8, {maxByteLength: 64}).resize(@n)", "new Uint8ClampedArray([@r, 300, -5])", "new Int32Array(@e)"),
    *("Buffer.from(@s).toString('base64')", "Buffer.from(@s, '@c').toJSON()", "Buffer.concat([Buffer.from(@s), Buffer.alloc(@n, 7)]).readUInt8(@n)", "Buffer.from('00ff' + @n, 'hex').equals(Buffer.from([0, 255]))", "Buffer.byteLength(@s)"),
    *("new TextDecoder().decode(new TextEncoder().encode(@s))", "new TextDecoder('utf-16le').decode(new Uint8Array([@n, 216, @n, 0]))", "btoa(@s)", "atob('YWJj' + @s)", "new Float16Array([@r])[0]", "new ArrayBuffer(@n).transfer(9).byteLength"),
    # time
    *("new Date()", "new Date(@e)", "new Date(2024, @n, @n, @n).toString()", "Date.parse('2024-02-30T' + @n)", "new Date(@r * 1e9).toISOString()", "new Date(0).setMonth(@n)", "Date.UTC(@n * 99, @n)", "new Date(1e12).toLocaleString()", "new Date(8.64e15 + @n).getTime()"),
    # functions, closures, generators, classes, proxies
    *("closures[@n % 5]?.(@e)", "generators[@n % 3]?.next(@e)", "generators[@n % 3]?.return(@e).done", "(() => @e)()", "(function () { return @e }).call(@e, @e)", "(function* () { yield @e; return @e })().next().value"),
    *("[...(function* () { let i = @n; while (i-- > 0) yield i })()]", "new (class { #p = 1; static s = @n; constructor (v) { this.#p = v } get got () { return this.#p } })(@e).got", "new (class extends Array { constructor () { super(@n % 5) } })().length", "(f => f.name + f.length + f)((p, q = 1) => @e)"),
    *("new Proxy(@v, {get: (t, k) => k, has: () => true}).@k", "new Proxy([1, 2, 3], {}).map(v => v + @n)", "Reflect.construct(Date, [@n]).getTime()", "Reflect.apply(Math.max, null, [@e, @e])", "eval('1 + ' + @n)", "new Function('p', 'return p')(@e)", "(0, eval)('typeof x')"),
    *("((p, {q = 1, ...r} = {}, ...s) => [p, q, r, s])(@e, {z: @e}, @e)", "(l => { l: for (;;) { break l } })()", "@e ?? @e", "@e && @e", "@e ? @e : @e", "(@e, @e)", "void @e", "new (function F () { this.z = @e })()", "[1, 2, 3].values().map(v => v * @n).toArray()"),
    *("fib(@n)", "deep(@n * 30)", "System.files === fs", "Object.getOwnPropertyNames(globalThis).length", "(() => { try { null.x } catch (e) { return e.message + e.stack } })()", "new Error(@s, {cause: @e}).stack", "new AggregateError([@e], @s).errors"),
    # promises and timers
    *("await @e", "await Promise.resolve(@e)", "await Promise.all([@e, Promise.resolve(@e)])", "await Promise.allSettled([@e, Promise.reject(@e)])", "await Promise.race([new Promise(r => setTimeout(r, 5, @e)), @e])", "await Promise.any([Promise.reject(1), @e])"),
    *("await new Promise(r => setTimeout(r, @n * 10, @e))", "await new Promise(r => setImmediate(() => r(@e)))", "await {then (r) { r(@e) }}", "await (async () => { await null; return @e })()", "Promise.withResolvers().promise", "await Promise.try(() => @e)", "(() => { queueMicrotask(() => keep.push(@e)) })()"),
    *("await new Promise(r => { let n = 0; const t = setInterval(() => { if (++n > 3) { clearInterval(t); r(n) } }, @n) })", "await Promise.reject(new RangeError(@s)).catch(e => e.name)", "(async () => { for await (const v of [@e, Promise.resolve(@e)]) keep.push(v) })()"),
    # the console and the web
    *("console.log(@e, @v)", "console.table([@e, @e])", "console.dir(@v)", "console.error(new Error(@s))", "console.count(@s)", "new URL('/' + @s + '?q=' + @n, 'http://Bücher.example').href", "new URLSearchParams({@k: @s}).toString()", "new DOMException(@s).name"),
    # what changes the world
    *("(Object.prototype.@k = @e)", "(Array.prototype[@n] = @e)", "delete Object.prototype.@k", "delete Array.prototype[@n]", "(Array.prototype.map = Array.prototype.map)", "(String.prototype.@k = function () { return this + @e })", "(Error.prepareStackTrace = (e, s) => s.map(String).join())"),
    *("(Error.prepareStackTrace = (e, s) => { keep.push(s); return s.length })", "delete Error.prepareStackTrace", "(Error.stackTraceLimit = @n)", "(globalThis.@k = @e)", "(Promise.prototype.finally = 1)", "(Number.prototype.toJSON = () => @n)", "delete Number.prototype.toJSON"),
    *("(exports.@k = () => @e)", "(module.exports = {...exports})", "delete exports.f0", "(Symbol.prototype.description)", "(RegExp.prototype.flags = @e)", "(Date.prototype.toJSON = function () { return +this })", "(Map.prototype.@k = @e)", "(Function.prototype.toJSON = () => @e)"),
    *("(Math.random = () => .5)", "(JSON.stringify = JSON.stringify)", "(Object.prototype.then = undefined)", "(Array.prototype.toJSON = undefined)", "(Date.now = () => 7)", "(Array.prototype[Symbol.iterator] = Array.prototype.values)"),
]  # fmt: skip

FILES = [
    *("await fs.readFile(@p)", "await fs.readFile(@p, '@c')", "await fs.readFile(@p, 'json')", "await fs.writeFile(@p, @s)", "await fs.writeFile(@p, @e)", "await fs.writeFile(@p, @e, '@c')", "await fs.writeFile(@p, new Uint8Array(@n * 99))", "await fs.writeFile(@p, @s, 'json')"),
    *("(await fs.stat(@p)).size", "(await fs.stat(@p)).mtime", "await fs.exists(@p)", "await fs.readdir(@p)", "await fs.readdir('/', {recursive: true})", "(await fs.readdir(@p, {stat: true})).map(e => [e.name, e.stat.isFile()])", "await fs.mkdir(@p)", "await fs.unlink(@p)"),
    *("await fs.rmdir(@p)", "await fs.rmdir(@p, {recursive: true})", "await fs.copy(@p, @p)", "await fs.rename(@p, @p)", "await fs.history()", "await fs.history({path: @p, limit: @n, reverse: true})", "await fs.history({start: @n, end: @n + 5})", "(await fs.getInfo()).version"),
    *("await fs.writeFile(@p + @n, JSON.stringify(@e))", "fs.readFile(@e, @e)", "await fs.readFile(@p, {encoding: '@c'})", "await Promise.all([fs.writeFile(@p, @n), fs.readFile(@p), fs.mkdir(@p)].map(p => p.catch(e => e.name)))"),
]  # fmt: skip

MODULES = [
    # hashes, some of them kept from call to call
    *("load('crypto').createHash(@h).update(@s).digest('hex')", "load('crypto').createHash(@h).update(String(@e)).update(Buffer.from(@s, '@c')).digest('@c')", "load('crypto').hash(@h, @s, 'base64')", "load('crypto').createHash(@h).update(@e, '@c').digest()"),
    *("load('crypto').createHmac(@h, @s).update(@s).digest('base64url')", "load('crypto').createHmac(@h, Buffer.alloc(@n * 20, @n)).update(new Uint16Array([@n, 7])).digest('hex')", "load('crypto').getHashes()", "load('crypto').createHash(@h).copy().digest()"),
    *("(hashes[@n % 3] ??= load('crypto').createHash(@h)).update(@s)", "(hashes[@n % 3] = load('crypto').createHmac(@h, @s)).update(@s)", "hashes[@n % 3]?.update(String(@e))", "hashes[@n % 3]?.copy().digest('hex')", "hashes[@n % 3]?.digest('@c')", "hashes[@n % 3]?.update('h'.repeat(@n * 300))"),
    # what a seed gives, and Ed25519
    *("load('crypto').randomBytes(@n).toString('hex')", "load('crypto').randomInt(@n, @n + 99)", "load('crypto').randomUUID()", "load('crypto').randomFillSync(new Uint32Array(@n), @n % 3)", "load('crypto').randomBytes(@e)"),
    *("await new Promise(r => load('crypto').randomBytes(@n, (e, v) => r(v)))", "load('crypto').timingSafeEqual(Buffer.from(@s), Buffer.from(@s))", f"load('crypto').verify(null, Buffer.alloc(@n), {KEY}, Buffer.alloc(64, @n))", f"load('crypto').verify(null, Buffer.alloc(0), {KEY}, Buffer.from('{SIGNATURE}', 'base64'))"),
    # util and assert
    *("load('util').inspect(@e)", "load('util').inspect(@v, {depth: @n, sorted: true, showHidden: @n > 6})", "load('util').format('%s %d %j %o', @e, @e, @e, @s)", "load('util').isDeepStrictEqual(@e, @e)", "load('util').types.isProxy(@e)", "load('util').inspect(new Map([[@e, new Set([@e])]]), {compact: @n % 4, breakLength: @n * 9})"),
    *("await load('util').promisify((v, f) => setTimeout(f, @n, null, v))(@e)", "load('util').inspect(new Proxy(@v, {}), {showProxy: true})", "load('util/types').isTypedArray(@e)", "load('util').inspect({[load('util').inspect.custom]: () => @e})", "load('util').inherits(function F () {}, Array)"),
    *("load('assert').deepStrictEqual(@e, @e)", "load('assert')(@e, @s)", "load('assert').throws(() => @e, TypeError)", "load('assert/strict').equal(@e, @e)", "await load('assert').rejects(async () => @e)", "load('assert').notDeepEqual(@v, @e)", "load('assert').match(@s, /a|\\d/)"),
    # events, kept too
    *("(emitters[@n % 2] ??= new (load('events'))()).on('@k', v => keep.push(v)).listenerCount('@k')", "emitters[@n % 2]?.emit('@k', @e)", "emitters[@n % 2]?.once('@k', () => { a++ }).eventNames()", "emitters[@n % 2]?.removeAllListeners('@k')", "emitters[@n % 2]?.emit('error', @e)"),
    *("await (q => { setTimeout(() => q.emit('@k', @e), @n); return load('events').once(q, '@k') })(new (load('events'))())",),
    # text
    *("load('path').join(@s, '..', @p)", "load('path').resolve(@p, @s)", "load('path').relative(@p, @p)", "load('path').parse(@p)", "load('path').format({dir: @s, name: @s, ext: '.x'})", "load('path/posix').normalize(@s + '//./' + @s)", "load('path').extname(@s) + load('path').basename(@p)"),
    *("load('querystring').parse('a=1&b=%20&a=' + @s)", "load('querystring').stringify({@k: @s, @k: [@e, @e]})", "load('querystring').escape(@s) + load('querystring').unescape(@s)", "load('url').parse('http://u:p@H.example:8/a/' + @s + '?q=' + @n + '#f', true)", "load('url').resolve('/one/two', @s)", "load('url').format({host: @s, pathname: @p})"),
    *("new (load('url').URL)(@s, 'http://h.example').href", "(decoders[@n % 2] ??= new (load('string_decoder').StringDecoder)('@c')).write(Buffer.from([226, 130, 172, @n * 20]))", "decoders[@n % 2]?.write(Buffer.from(@s).subarray(@n % 3))", "decoders[@n % 2]?.end()", "load('buffer').Buffer.from(@s).toString('@c')"),
    # modules themselves
    *("load(@m)", "load(@m) === load(@m)", "Object.keys(load(@m)).length", "require(@m)", "require.resolve('node:' + @m)", "Object.keys(await import(@m)).sort()", "(await import('node:' + @m)).default === load(@m)", "await import(@s)", "require(@s)", "(load(@m).@k = @e)"),
]  # fmt: skip

EXPRESSIONS += FILES + MODULES

STATEMENTS = [
    *["x = @e"] * 12,
    *[f"x = {text}" for text in FILES] * 3,
    *[f"x = {text}" for text in MODULES],
    *["x = Math.random()"] * 3,
    *["x = await System.oracle(() => [Date.now(), Math.random(), crypto.randomUUID(), @e])"] * 2,
    *("await System.oracle(async () => { @b; return x }).catch(e => { x = e?.name })", "x = [...crypto.getRandomValues(new Uint8Array(@n % 40))]"),
    *("a = @e", "b = @e", "c = @e", "keep.push(@e)", "d.@k = @e", "console.log(@e)", "table.set(@e, x)", "seen.add(@e)"),
    *("closures[@n % 5] = v => { a += 1; keep.push(v); return [a, v, @e] }", "closures[@n % 5] = async v => (await null, @e)", "{ const held = @e; closures[@n % 5] = () => held }"),
    *("generators[@n % 3] = (function* () { let got = @e; for (;;) got = yield [got, a++] })()", "generators[@n % 3] = (async function* () { try { yield @e; yield* [@e] } finally { a = @e } })()"),
    *("if (@e) { @b } else { @b }", "for (let i = 0; i < @n; i++) { @b }", "for (const v of [@e, @e]) { x = v; @b }", "for (const k in @v) { x = k }", "while (a++ % 5) { @b }", "do { @b } while (a++ % 3)"),
    *("switch (x) { case 1: @b; break; case @e: @b; default: @b }", "try { @b; throw @e } catch (e) { x = e?.name ?? e } finally { @b }", "try { @b } finally { a = @n }", "{ let [p, q = @e, ...r] = @e; x = [p, q, r.length] }"),
    *("{ const {@k: p = @e, ...r} = @v; x = r }", "label: for (const i of [1, 2, 3]) { for (;;) { if (i > 1) break label; continue label } }", "await Promise.all([@e, @e].map(async v => { await null; @b }))"),
    *("setTimeout(() => { @b }, @n * 20)", "queueMicrotask(() => { keep.push(@e) })", "Promise.reject(@e)", "await null", "setTimeout(() => { throw @e })", "new Promise((_, no) => no(@e)).catch(e => { x = e })", "setInterval(() => { a++ }, 1 + @n)"),
    *("for (let i = 0; i < @n * 40; i++) keep.push({i, s: 'x'.repeat(i % 17)})", "for (let i = 0; i < @n * 9; i++) table.set('k' + i * 7919 % 97, i)", "keep.length = 0", "table.clear()", "closures.length = 0", "d = {}"),
    *("for (let i = 0; i < @n; i++) await fs.writeFile(@p + i, @s + i)", "await fs.writeFile(@p, (await fs.readFile(@p, 'json') ?? 0) + 1)", "console.group(@s); console.warn(@e); console.groupEnd()"),
]  # fmt: skip

ENDINGS = [
    *["return @e"] * 8,
    *["return x"] * 8,
    *("return [x, a, b]", "return {x, c, keep: keep.length}", "return", "return JSON.stringify(x)", "return String(x) + typeof x", "return {toJSON: () => @e, x}", "return {get @k () { return @e }}", "return () => 1"),
    *("return new Proxy({@k: x}, {})", "return new Promise(r => setTimeout(() => r(x), @n * 1000))", "return {then (yes, no) { no(@e) }}", "return Promise.reject(@e)", "return [...table].slice(0, 9)", "return new Date(x)", "return new Map([[1, x]])"),
    *("throw @e", "throw @e", "throw new TypeError(String(@e))", "throw Object.assign(new RangeError(@s), {code: @e, @k: @e})", "throw {@k: @e}", "throw null", "throw undefined", "throw Symbol('s')", "throw 10n", "throw class extends Error {}"),
    *("throw new (class Odd extends Error { get name () { return @e } })(@s)", "throw new Proxy(new Error(@s), {})", "throw {toJSON () { throw @e }}", "const e = new Error(@s); e.message = @e; throw e", "throw closures", "return x.y.z", "null.@k()"),
]  # fmt: skip

STOPPED = [
    "for (;;);",
    "for (;;) await null",
    "for (;;) keep.push([...keep])",
    "for (let s = 'y';; s += s) keep.push(s)",
    "for (;;) keep.push(new Uint8Array(100000))",
    "await new Promise(() => {})",
    "return new Promise(() => { setTimeout(() => { throw 1 }) })",
    "return 'z'.repeat(300000)",
    "throw new Error('z'.repeat(300000))",
    "let v = []; for (let i = 0; i < 150; i++) v = [v]; return v",
    "return {toJSON () { for (;;); }}",
    "return {get k () { for (;;) keep.push(keep.length) }}",
    "for (let i = 0; i < 300; i++) await fs.writeFile('/many/' + i, i)",
    "await fs.writeFile('/large', new Uint8Array(3000000))",
    "for (let i = 0; i < 90; i++) { await fs.writeFile('/grow' + i % 3, 'g'.repeat(i * 1000)); keep.push(i) }",
    "const f = () => f() + 1; try { f() } catch (e) { x = e.name } finally { for (;;); }",
    "Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)",
    "/(x+x+)+y/.test('x'.repeat(60))",
    "function g () { try { g() } finally { g() } } g()",
    "setInterval(() => {}); await new Promise(() => {})",
    "for (;;) console.log('flood')",
    "for (;;) try { setTimeout(() => {}, 1) } catch { }",
    "for (;;) await fs.readdir('/', {recursive: true})",
    "JSON.parse('['.repeat(90000))",
    "return new Array(2 ** 22).fill(keep)",
    "x = 3n; for (;;) x = x * x",
    "for (;;) try { keep.push('q'.repeat(1000000)) } catch {}",
    "for (let i = 0; i < 5000; i++) keep.push(Promise.reject(i)); for (;;) await 1",
]

NEARLY_STOPPED = [
    "const f = n => f(n + 1) + 1; try { f(0) } catch (e) { x = [e.name, e.message] }",
    "for (let i = 0; i < 120; i++) console.log('line', i, x)",
    "for (let i = 0; i < 80; i++) try { setTimeout(() => { a++ }, i) } catch (e) { x = e.message; break }",
    "for (let i = 0; i < 3000; i++) keep.push('kept' + i)",
    "x = []; for (let i = 0; i < 60; i++) x = [x]",
    "for (let i = 0; i < 25; i++) await fs.writeFile('/some/' + i, 's'.repeat(i))",
    "x = 'r'.repeat(900)",
    "const g = s => s && eval(s); x = g('(' .repeat(200) + '1' + ')'.repeat(200))",
    "x = new Array(20000).fill(0).map((_, i) => i * i % 1009).sort((p, q) => p - q).length",
    "x = /^(([a-z])+.)+[A-Z]([a-z])+$/.test('a'.repeat(12))",
    "for (let i = 0; i < 12; i++) await fs.mkdir('/folder' + i)",
    "for (let i = 0; i < 5; i++) await fs.writeFile('/sized' + i, 'z'.repeat(i * 400))",
    "await fs.writeFile('/dir/a', @s.repeat(200)); await fs.copy('/dir', '/copy' + @n)",
    "for (let i = 0; i < 50; i++) (hashes[0] ??= load('crypto').createHash('sha256')).update('h'.repeat(i * 20))",
    "load('assert').deepStrictEqual({x, keep: keep.slice(0, 9)}, {x: @e, keep})",
    "x = load('util').inspect([keep, table, closures, globalThis], {depth: 5}).length",
]  # fmt: skip

STRINGS = [
    *("''", "'a'", "'abcabc'", "'Straße İi'", "'\\u0344e\\u0301'", "'\\ud83d\\ude00!'", "'\\ud800'", "'x\\udfff'", "'\\u2028\\n\\t\\0'", "'12.5e3'", "'-0'", "'0x1F'", "'constructor'", "'__proto__'", "'then'"),
    *("'ΑΒΓ δ'", "'[1,2]'", "'{\"a\":1}'", "'YWJj'", "'deadbeef'", "'\\xff\\xfe'", "'/a/b'", "'k1'", "'lorem ipsum dolor'", "'aaaa'", "'2024-05-06'", "'$&$1'", "'\\\\d+('"),
]  # fmt: skip

NUMBERS = [
    *("0", "1", "-1", "0.1", "1e21", "1e-7", "123456789.987654321", "4294967295", "-2147483648", "9007199254740993", "5e-324", "1.7976931348623157e308", "Infinity", "-Infinity", "NaN", "-0", "3.5", "2.5", "0.000001", "1e300"),
]  # fmt: skip

PATHS = [
    *("'/a'", "'/b'", "'b'", "'/dir'", "'/dir/a'", "'/dir/sub/c'", "'/new/deep/er/d.txt'", "'/é\\u0301'", "'/\\ud83d\\ude00'", "'/'", "''", "'/dir/../a'", "'/x\\0y'", "'/' + x", "'/dir/' + a", "@s", "'/A'", "'/long' + 'n'.repeat(240)"),
]  # fmt: skip

ENCODINGS = ["utf8", "json", "base64", "hex", "binary", "utf-8", "odd"]
MEMBERS = ["k0", "k1", "z", "length", "name", "then", "toJSON", "message", "get", "constructor"]
VARIABLES = [
    "x",
    "a",
    "b",
    "c",
    "d",
    "keep",
    "args",
    "table",
    "closures",
    "this",
    "globalThis",
    "hashes",
    "emitters",
]

MODULE_NAMES = ["assert", "assert/strict", "buffer", "crypto", "events", "path", "path/posix", "querystring", "string_decoder", "url", "util", "util/types"]  # fmt: skip
HASHES = [
    "'md5'",
    "'sha1'",
    "'sha224'",
    "'sha256'",
    "'sha384'",
    "'sha512'",
    "'RSA-SHA256'",
    "'odd'",
]

PRELUDE = """const fs = System.files, keep = [], table = new Map(), seen = new Set(), closures = [], generators = []
const hashes = [], emitters = [], decoders = []
let a = 0, b = 'b', c = null, d = {}
const fib = n => n < 2 ? n : fib(n - 1) + fib(n - 2)
const deep = n => n <= 0 ? 0 : deep(n - 1) + 1
"""
