// votes.mjs: an ES module; each caller has one vote, and may change it
const votes = await System.files.readFile('/votes', 'json') ?? {}

export async function vote (choice) {
  if (System.caller.id === null) throw new Error('Say who you are')
  votes[System.caller.id] = String(choice)
  await System.files.writeFile('/votes', votes)
}
export function count () {
  const counts = {}
  for (const choice of Object.values(votes)) counts[choice] = (counts[choice] ?? 0) + 1
  return counts
}
