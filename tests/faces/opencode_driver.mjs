// Plays OpenCode for its plugin: does what the lines on standard input say, and prints what came of each.
import { createInterface } from "node:readline"
import { pathToFileURL } from "node:url"

const { Hubbub } = await import(pathToFileURL(process.argv[2]))
const say = (value) => process.stdout.write(JSON.stringify(value) + "\n")
const client = {
  session: {
    promptAsync: async ({ path, body }) => say({ turn: path.id, text: body.parts.map((part) => part.text).join("") }),
  },
}
const plugin = await Hubbub({ client, directory: process.cwd() })
for await (const line of createInterface({ input: process.stdin })) {
  const [hook, ...given] = JSON.parse(line)
  try {
    await plugin[hook](...given)
    say({ done: given })
  } catch (error) {
    say({ thrown: error.message })
  }
}
process.exit(0)
