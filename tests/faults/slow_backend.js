// Calls that take as long as they are told to, and say when they begin.
exports.work = (n, loops = 0) => { console.log('begins', n); for (let i = 0; i < loops; i++); return n }
exports.large = () => 'x'.repeat(1e6)
exports.save = (n, text) => System.files.writeFile('/n' + n, text)
