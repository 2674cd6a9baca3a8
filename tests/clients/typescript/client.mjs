// The official TypeScript client of Ogmios with a devnet: what it saw, as one JSON document.
// node client.mjs URL CONTROL GIVEN -- see tests/clients/scenario.py for what is given, and what is expected.
import ogmios from '@cardano-ogmios/client'

const url = new URL(process.argv[2])
const control = process.argv[3]
const given = JSON.parse(process.argv[4])

const context = await ogmios.createInteractionContext(
  (error) => { console.error(error); process.exit(1) },
  (code, reason) => { console.error(code, reason); process.exit(1) },
  { connection: { host: url.hostname, port: Number(url.port) }, maxEventListeners: 100 }
)

const seen = { events: [], refused: {} }

async function command (name, fields = {}) {
  const answer = await fetch(`${control}/${name}`, { method: 'POST', body: JSON.stringify(fields) })
  if (!answer.ok) throw new Error(await answer.text())
}

async function refused (promise) {
  try {
    return { type: 'none', answer: await promise }
  } catch (error) {
    return { type: error.constructor.name, code: error.code, data: error.data }
  }
}

// The chain

let look = () => {}
function told (event, requestNextBlock) {
  seen.events.push(event)
  requestNextBlock()
  look()
}
const until = (count) => new Promise((resolve) => {
  look = () => { if (seen.events.length >= count) resolve() }
  look()
})
const chain = await ogmios.createChainSynchronizationClient(context, {
  rollForward: async ({ block }, requestNextBlock) => told({
    direction: 'forward',
    height: block.height,
    id: block.id,
    transactions: block.transactions.map((each) => each.id)
  }, requestNextBlock),
  rollBackward: async ({ point }, requestNextBlock) => told({ direction: 'backward', point }, requestNextBlock)
})
await chain.resume(['origin'])
await until(given.events)

// The ledger's state

const state = await ogmios.createLedgerStateQueryClient(context)
seen.health = await ogmios.getServerHealth(context)
seen.parameters = await state.protocolParameters()
seen.eras = await state.eraSummaries()
seen.epoch = await state.epoch()
seen.eraStart = await state.eraStart()
seen.ledgerTip = await state.ledgerTip()
seen.tip = await state.networkTip()
seen.height = await state.networkBlockHeight()
seen.start = await state.networkStartTime()
seen.genesis = await state.genesisConfiguration('shelley')
seen.byAddress = await state.utxo({ addresses: [given.locked] })
seen.byReference = await state.utxo({ outputReferences: [given.carrier] })
await state.acquireLedgerState(given.past)
seen.before = await state.utxo({ addresses: [given.locked] })
await state.releaseLedgerState()

// Transactions

const submission = await ogmios.createTransactionSubmissionClient(context)
seen.units = await submission.evaluateTransaction(given.spending)
seen.failing = await refused(submission.evaluateTransaction(given.failing))
for (const [name, transaction] of Object.entries(given.bad)) {
  seen.refused[name] = await refused(submission.submitTransaction(transaction))
}
seen.submitted = [
  await submission.submitTransaction(given.payment),
  await submission.submitTransaction(given.spending)
]

// The mempool

const mempool = await ogmios.createMempoolMonitoringClient(context)
await mempool.acquireMempool()
seen.mempool = {
  has: [await mempool.hasTransaction(seen.submitted[0]), await mempool.hasTransaction('0'.repeat(64))],
  size: await mempool.sizeOfMempool(),
  first: await mempool.nextTransaction(),
  second: await mempool.nextTransaction({ fields: 'all' }),
  third: await mempool.nextTransaction()
}
await mempool.releaseMempool()

// A block with both, and a fork that undoes it

await command('blocks')
await until(given.events + 1)
await command('fork', { depth: 1, blocks: 2 })
await until(given.events + 4)
await command('blocks')
await until(given.events + 5)

console.log(ogmios.safeJSON.stringify(seen))
process.exit(0)
