"""Dotted names from what exporters write about a node."""

from onnx import helper

from explorer.networks.onnx.nodes import SCOPES, module_names


def named(*names: str) -> list[str]:
    return module_names([helper.make_node(n.rpartition("/")[2], [], [n], n) for n in names])


def scoped(*scopes: tuple[str, str]) -> list[str]:
    nodes = []
    for number, (kind, scope) in enumerate(scopes):
        node = helper.make_node(kind, [], [str(number)], f"node_{kind}_{number}")
        entry = node.metadata_props.add()
        entry.key, entry.value = SCOPES, repr(["", *scope.split("|"), "last"])
        nodes.append(node)
    return module_names(nodes)


def test_a_node_that_is_all_of_a_module_has_its_name() -> None:
    assert named(
        "/conv1/Conv", "/layer1/layer1.0/conv1/Conv", "/layer1/layer1.0/Add",
        "/features/features.3/conv/conv.0/conv.0.0/Conv", "/Flatten",
    ) == ["conv1", "layer1.0.conv1", "layer1.0.Add", "features.3.conv.0.0", "Flatten"]  # fmt: skip


def test_several_nodes_of_a_module_keep_their_operators() -> None:
    assert named("/act/Sigmoid", "/act/Mul", "/act/Mul") == ["act.Sigmoid", "act.Mul", "act.Mul_1"]


def test_the_newer_exporter_writes_scopes() -> None:
    found = scoped(("Conv", "layer1|layer1.0|layer1.0.conv1"), ("Add", "layer1|layer1.0"))
    assert found == ["layer1.0.conv1", "layer1.0.Add"]


def test_names_of_other_programs() -> None:
    assert named("Conv_0", "model/stem/Conv2D:0") == ["Conv_0", "model.stem"]
    nodes = [helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Relu", ["b"], ["c"])]
    assert module_names(nodes) == ["Relu", "Relu_1"]


def test_what_cannot_be_the_name_of_a_module_is_changed() -> None:
    assert named("/forward/Conv", "/a..b/Conv", "/type/half/Relu") == [
        "forward_", "a.b", "type_.half_"
    ]  # fmt: skip


def test_no_name_is_the_beginning_of_another() -> None:
    found = named("/a/b", "/a/b/c/Conv", "/a/b/c/Relu", "/a/b/Add")
    assert len(set(found)) == 4
    assert not any(one != other and other.startswith(f"{one}.") for one in found for other in found)
