// Scalus' evaluator, as npm has it: what the scripts of transactions use, or that they say no; one JSON line for each.
// A line of stdin is {tx, utxo, zeroTime, zeroSlot, slotLength, costModels}: hex, milliseconds, and integers.
import { createInterface } from 'node:readline'
import scalus from 'scalus'

const bytes = (hex) => Uint8Array.from(Buffer.from(hex, 'hex'))

for await (const line of createInterface({ input: process.stdin })) {
  const { tx, utxo, zeroTime, zeroSlot, slotLength, costModels } = JSON.parse(line)
  const slots = new scalus.SlotConfig(zeroTime, zeroSlot, slotLength)
  try {
    const redeemers = scalus.Scalus.evalPlutusScripts(bytes(tx), bytes(utxo), slots, costModels)
    console.log(JSON.stringify(redeemers.map(({ tag, index, budget }) => (
      { tag, index, memory: Number(budget.memory), steps: Number(budget.steps) }
    ))))
  } catch (error) {
    console.log(JSON.stringify({ refused: String(error.message ?? error).slice(0, 500) }))
  }
}
