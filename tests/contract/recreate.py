"""The same creation under other terms or another name, so that nothing is wrong but what a test changes."""

from hashlib import blake2b

from tests.contract.case import Case
from tests.contract.healthy import DISTRIBUTION
from tests.contract.mutate import with_mint, with_output, with_redeemer
from tests.contract.parts import datum_of, mint, outputs, redeemer, value_of
from tests.contract.plutus import constr, field, sequence
from tests.contract.script import OWN
from tests.contract.terms import Asset, Terms
from tests.contract.tree import Node, encode


def with_terms(case: Case, terms: Terms | Node) -> Case:
    """Another datum in the distribution, and the id that it gives."""
    datum = terms.data() if isinstance(terms, Terms) else terms
    return with_id(with_output(case, DISTRIBUTION, datum=datum))


def with_seed(case: Case, seed: Node) -> Case:
    """Another seed in the redeemer, spent or not, and the id that it gives."""
    return with_id(with_redeemer(case, "mint", creating(case), constr(0, seed)))


def with_id(case: Case) -> Case:
    """The state token named by the seed and the datum that are there now."""
    seed = field(redeemer(case, "mint", creating(case)), 0)
    return with_name(case, hashed(sequence(seed, datum_of(outputs(case)[DISTRIBUTION]))))


def with_name(case: Case, name: bytes) -> Case:
    """One token of another name minted in the state token's stead, and held by the distribution."""
    token = Asset(OWN, name)
    value = {asset: n for asset, n in value_of(outputs(case)[DISTRIBUTION]).items() if asset.policy != OWN}
    others = {asset: n for asset, n in mint(case).items() if asset.policy != OWN}
    return with_mint(with_output(case, DISTRIBUTION, value={**value, token: 1}), {**others, token: 1})


def hashed(data: Node) -> bytes:
    """blake2b-256 of its serialisation."""
    return blake2b(encode(data), digest_size=32).digest()


def creating(case: Case) -> int:
    """By which index redeemers mean our policy."""
    return sorted({asset.policy for asset in mint(case)}).index(OWN)
