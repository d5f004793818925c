// Prints more than anybody wants to read.
exports.shout = () => { for (let i = 0; i < 80; i++) console.log('x'.repeat(1000)); return 'hoarse' }
exports.colour = () => console.warn('\u001b[31mred\nsecond line')
exports.mistaken = () => System.files.wirteFile('/a', 1)
exports.atHome = () => process.env.HOME
exports.endless = () => { for (;;); }
exports.refuse = () => { throw new Error('You are not my owner!') }
