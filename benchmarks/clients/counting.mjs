// The official TypeScript client, counting blocks: node counting.mjs URL BLOCKS
import ogmios from '@cardano-ogmios/client'

const url = new URL(process.argv[2])
const blocks = Number(process.argv[3])

const context = await ogmios.createInteractionContext(
  (error) => { console.error(error); process.exit(1) },
  () => process.exit(1),
  { connection: { host: url.hostname, port: Number(url.port) } }
)

let left = blocks
let begun = 0
const client = await ogmios.createChainSynchronizationClient(context, {
  rollForward: async (_reply, requestNextBlock) => {
    left -= 1
    if (left === 0) {
      const seconds = (performance.now() - begun) / 1000
      console.log(JSON.stringify({ blocks, seconds }))
      process.exit(0)
    }
    requestNextBlock()
  },
  rollBackward: async (_reply, requestNextBlock) => requestNextBlock()
})
begun = performance.now()
await client.resume(['origin'], 100)
