// What the packages ask of Node's `process`; scripts have none.

export const process = {
  env: {},
  pid: 0,
  cwd: () => '/',
  nextTick: (callback, ...args) => queueMicrotask(() => callback(...args))
}
