// Hubbub for OpenCode: tells of mail that waits, gives an idle session a turn for it, and keeps files that
// another agent has reserved. "hubbub setup opencode" writes this file; it is written anew by the next one.
import { spawn } from "node:child_process"

// What starts Hubbub.
const HUBBUB = ["hubbub"]

// A hook takes well under a tenth of a second. OpenCode goes on without one that takes this long.
const ASK_MS = 6000

const WRITERS = ["write", "edit", "patch", "apply_patch"]

function start(event, data, lines) {
  const child = spawn(HUBBUB[0], [...HUBBUB.slice(1), "hook", "opencode", event], {
    stdio: ["pipe", "pipe", "ignore"],
  })
  child.on("error", () => lines(null))
  child.stdin.on("error", () => {})
  child.stdin.end(JSON.stringify(data))
  let said = ""
  child.stdout.setEncoding("utf8")
  child.stdout.on("data", (part) => (said += part))
  child.on("close", () => lines(said))
  return child
}

// Hubbub's answer to an event; an empty one whenever there is none.
function ask(event, data) {
  return new Promise((resolve) => {
    const child = start(event, data, (said) => {
      clearTimeout(timer)
      try {
        resolve((said && JSON.parse(said)) || {})
      } catch {
        resolve({})
      }
    })
    const timer = setTimeout(() => {
      child.kill()
      resolve({})
    }, ASK_MS)
  })
}

export const Hubbub = async ({ client, directory }) => {
  const subs = new Set() // sessions of sub-agents: they have no mail of their own
  const begun = new Set()
  let current = null // the session that a person or a ring spoke to last
  let idle = false
  let waiter = null

  const about = (session, more) => ({
    session_id: session || "",
    cwd: directory,
    ...(subs.has(session) ? { agent_id: session } : {}),
    ...more,
  })

  const turn = (session, text) => {
    idle = false
    return client.session.promptAsync({ path: { id: session }, body: { parts: [{ type: "text", text }] } })
  }

  // One process waits beside the session that is in use. When it rings and the session is at work, nothing is
  // lost: as soon as that is idle, what is unread is asked for.
  const wait = (session) => {
    if (waiter) return
    waiter = start("wait", about(session), (said) => {
      waiter = null
      if (said && said.trim() && idle && session === current) turn(session, said.trim())
    })
  }

  const becameIdle = async (session) => {
    if (subs.has(session)) return
    current = session
    idle = true
    const { refusal } = await ask("stop", about(session))
    if (!idle || session !== current) return
    if (refusal) await turn(session, refusal)
    else wait(session)
  }

  const ended = async (session) => {
    subs.delete(session)
    if (session !== current) return
    if (waiter) waiter.kill()
    current = null
    await ask("session-end", about(session))
  }

  return {
    event: async ({ event }) => {
      const { info, sessionID } = event.properties || {}
      if (event.type === "session.created" && info?.parentID) subs.add(info.id)
      if (event.type === "session.idle") await becameIdle(sessionID)
      if (event.type === "session.deleted") await ended(info?.id || sessionID)
    },
    "chat.message": async (input, output) => {
      const session = input.sessionID
      if (subs.has(session)) return
      if (waiter && session !== current) waiter.kill()
      current = session
      idle = false
      const first = !begun.has(session)
      begun.add(session)
      const said = output.parts.map((part) => part.text || "").join("\n")
      const { context } = await ask(first ? "session-start" : "prompt", about(session, { prompt: said }))
      const like = output.parts.find((part) => part.type === "text")
      // A part of its own that the person does not see as words of theirs.
      if (context && like) output.parts.push({ ...like, id: `${like.id}h`, text: context, synthetic: true })
    },
    "tool.execute.before": async (input, output) => {
      if (!WRITERS.includes(input.tool)) return
      const asked = about(input.sessionID, { tool_name: input.tool, tool_input: output.args })
      const { refusal } = await ask("before-write", asked)
      if (refusal) throw new Error(refusal)
    },
    "tool.execute.after": async (input, output) => {
      if (subs.has(input.sessionID) || typeof output?.output !== "string") return
      const { context } = await ask("after-tool", about(input.sessionID, { tool_name: input.tool }))
      if (context) output.output = `${output.output}\n\n${context}`
    },
  }
}
