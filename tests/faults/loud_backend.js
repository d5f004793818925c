// Prints more than anybody wants to read.
exports.shout = () => { for (let i = 0; i < 80; i++) console.log('x'.repeat(1000)); return 'hoarse' }
exports.colour = () => console.warn('\u001b[31mred\nsecond line')
