// oracle.js: what the log cannot tell is asked once, and recorded; an audit takes the answer from there
exports.rand = async function () {
  return await System.oracle(() => Math.random())
}
exports.now = () => System.oracle(() => new Date())
