from swapstats.testing.evm.chain import MadeBlock, ancestors, branch


def blocks(**parents: str) -> dict[str, MadeBlock]:
    return {name: MadeBlock(name, parent, 0, 0, ()) for name, parent in parents.items()}


TREE = blocks(a="none", b="a", c="b", x="a", y="x")


def test_a_branch_is_told_from_below() -> None:
    assert [block.hash for block in branch(TREE, "y", {"a"})] == ["x", "y"]
    assert branch(TREE, "y", {"y"}) == []


def test_ancestors_reach_to_the_first_block() -> None:
    assert ancestors(TREE, "c") == {"a", "b", "c"}
    assert ancestors(TREE, "a") == {"a"}
