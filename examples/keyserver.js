// keyserver.js: who owns which public key; init prepares the folder, once
const fs = System.files
exports.init = async function () {
  await fs.mkdir('/keys')
}
exports.set = async function (key) {
  if (System.caller.id === null) throw new Error('Say who you are')
  await fs.writeFile(`/keys/${System.caller.id}`, String(key))
}
exports.get = async function (name) {
  try {
    return await fs.readFile(`/keys/${name}`)
  } catch (e) {
    return null
  }
}
exports.list = () => fs.readdir('/keys')
