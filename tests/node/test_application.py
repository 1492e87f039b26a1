"""Applications on the disk: what belongs to a DAG file is found, checked and shipped."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest

from pnode.node import inputs
from pnode.node.application import Application, ApplicationError, load_application, pack_application
from pnode.node.archive import ShippedFile, unpack
from pnode.node.inputs import natural_order
from pnode.protocol.dag import Program, ProgramKind
from pnode.protocol.ids import digest_of
from pnode.protocol.jobspec import FileRef
from pnode.protocol.textfile import CHARACTERS_MAX

DIAMOND = """\
4
task0 1 true task1 task2
task1 1 true task3
task2 1 true task3
task3 2 true home
"""
MODULE = "def task(files, pathin, pathout):\n    return []\n"
SCRIPT = "#!/bin/sh\ntrue\n"

ONE = "1\ntask0 1 true home\n"

Tree = dict[str, str]


@pytest.fixture
def app(tmp_path: Path) -> Callable[[Tree], Path]:
    """Writes an application and gives the path of its first file, the DAG."""

    def write(files: Tree) -> Path:
        root = tmp_path / "app"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return root / next(iter(files))

    return write


Write = Callable[[Tree], Path]


def diamond(**more: str) -> Tree:
    return {
        "dag.txt": DIAMOND,
        **{f"scripts/task{i}.py": MODULE for i in range(4)},
        "sample_input/1.txt": "x",
        **more,
    }


def one(files: Tree) -> Tree:
    return {"dag.txt": ONE, "sample_input/1.txt": "x", **files}


def programs(application: Application) -> dict[str, Program]:
    return {task.name: task.program for task in application.dag.tasks}


def shipped(application: Application) -> list[str]:
    return [file.name for file in application.files]


def refusal(dag: Path, inputs: tuple[Path, ...] = ()) -> str:
    with pytest.raises(ApplicationError) as caught:
        load_application(dag, inputs)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def module(*path: str) -> Program:
    return Program(ProgramKind.MODULE, path)


def command(*words: str) -> Program:
    return Program(ProgramKind.COMMAND, words)


def test_a_jupiter_application_is_found_around_its_dag_file(app: Write) -> None:
    dag = app({**diamond(), "scripts/data/table.csv": "1,2", "README.md": "", "scripts/__pycache__/x.pyc": ""})

    application = load_application(dag)

    assert application.name == "app"
    assert application.dag.order == ("task0", "task1", "task2", "task3")
    assert programs(application) == {f"task{i}": module(f"scripts/task{i}.py") for i in range(4)}
    assert application.inputs == (dag.parent.resolve() / "sample_input/1.txt",)
    assert shipped(application) == [*(f"scripts/task{i}.py" for i in range(4)), "scripts/data/table.csv"]
    assert application.notices == (
        f"no input is given: taking the sample input, 1 file from {dag.parent.resolve()}/sample_input",
    )


def test_the_current_directory_may_be_the_application(app: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(app(diamond()).parent)

    assert load_application(Path("dag.txt")) == load_application(Path.cwd() / "dag.txt")
    assert load_application(Path("dag.txt"), [Path("sample_input")]).inputs == (Path.cwd() / "sample_input/1.txt",)


def test_a_dag_file_in_a_directory_called_dag_belongs_to_the_directory_above(app: Write) -> None:
    files = diamond()
    dag = app(
        {"DAG/DAG_application.txt": files.pop("dag.txt"), "DAG/input_node.txt": "task node\ntask0 node2\n", **files}
    )

    application = load_application(dag)

    assert application.name == "app"
    assert application.dag.by_name["task0"].hint == ("node2",)
    assert programs(application)["task0"] == module("scripts/task0.py")


@pytest.mark.parametrize("place", ["config.json", "scripts/config.json"])
def test_config_json_names_the_modules_and_who_stands_outside(app: Write, place: str) -> None:
    modules = {"task1": ["shared/work", True], "task2": ["shared/work", True], "slave": ["s", False]}
    dag = app(
        {
            "dag.txt": DIAMOND.replace("4\n", "5\n") + "slave 1 true task3\n",
            **{f"scripts/{name}.py": MODULE for name in ("task0", "shared/work", "task3")},
            place: json.dumps({"taskname_map": modules}),
            "sample_input/1.txt": "",
        }
    )

    application = load_application(dag)

    assert programs(application)["task1"] == programs(application)["task2"] == module("scripts/shared/work.py")
    assert [task.name for task in application.dag.tasks] == ["task0", "task1", "task2", "task3"]
    assert application.notices[0] == "dag.txt: left out, because they stand outside the DAG: slave"


@pytest.mark.parametrize(
    ("files", "program"),
    [
        ({"scripts/task0.py": MODULE, "task0.py": MODULE, "scripts/task0": SCRIPT}, module("scripts/task0.py")),
        ({"task0.py": MODULE, "task0.sh": SCRIPT}, module("task0.py")),
        ({"scripts/task0": SCRIPT, "task0.py": MODULE}, command("scripts/task0")),
        ({"scripts/task0.sh": SCRIPT}, command("scripts/task0.sh")),
        ({"task0.sh": "true\n"}, command("task0.sh")),
        ({"task0": SCRIPT}, command("task0")),
        ({"scripts/task0": "no program", "task0.sh": SCRIPT}, command("task0.sh")),
    ],
)
def test_a_program_is_a_module_or_an_executable_or_a_script(app: Write, files: Tree, program: Program) -> None:
    assert programs(load_application(app(one(files))))["task0"] == program


def test_a_program_is_shipped_with_the_mode_that_it_needs(app: Write) -> None:
    dag = app(
        {
            "dag.txt": "3\na 1 true b\nb 1 true c\nc 1 true home\n",
            "scripts/a": SCRIPT,
            "scripts/b.sh": "true\n",
            "scripts/c.py": MODULE,
            "scripts/tool": SCRIPT,
            "sample_input/1": "",
        }
    )
    (dag.parent / "scripts/b.sh").chmod(0o755)
    (dag.parent / "scripts/c.py").chmod(0o755)

    application = load_application(dag)

    modes = {file.name: file.executable for file in application.files}
    assert modes == {
        "scripts/a": True,  # its first line says what runs it
        "scripts/b.sh": False,  # started as it is, it would be no program; a shell can run it
        "scripts/c.py": True,
        "scripts/tool": False,
    }


def test_a_compiled_program_is_a_program_if_its_mode_says_so(app: Write) -> None:
    dag = app(one({"scripts/task0": "\x7fELF"}))

    assert "scripts/task0 is there but cannot be executed (chmod +x); expected one of" in refusal(dag)
    (dag.parent / "scripts/task0").chmod(0o755)
    assert programs(load_application(dag))["task0"] == command("scripts/task0")


def test_a_program_beside_the_scripts_makes_the_whole_directory_travel(app: Write) -> None:
    files = diamond()
    del files["scripts/task3.py"]
    dag = app({**files, "task3.py": MODULE, "table.csv": "", "results/old": "", ".git/config": ""})

    assert shipped(load_application(dag)) == [
        "dag.txt",
        "table.csv",
        "task3.py",
        "scripts/task0.py",
        "scripts/task1.py",
        "scripts/task2.py",
    ]


def test_what_travels_arrives(app: Write, tmp_path: Path) -> None:
    application = load_application(app(diamond()))

    size = pack_application(application, tmp_path / "app.tar")
    unpack(tmp_path / "app.tar", tmp_path / "there")

    assert size == (tmp_path / "app.tar").stat().st_size
    assert (tmp_path / "there/scripts/task2.py").read_text() == MODULE


def test_an_application_that_cannot_be_packed_is_its_authors_matter(app: Write, tmp_path: Path) -> None:
    application = load_application(app(diamond()))
    odd = Application("x", application.dag, (), (ShippedFile("../x", tmp_path, False),), None, ())

    with pytest.raises(ApplicationError, match="cannot be shipped as"):
        pack_application(odd, tmp_path / "app.tar")


# What is wrong with a DAG file


def test_an_error_in_the_dag_names_file_and_line(app: Write) -> None:
    dag = app({**diamond(), "dag.txt": DIAMOND.replace("task1 1 true task3", "task1 1 true taskX")})

    assert refusal(dag) == (
        "dag.txt:3: task1 names the child taskX, which has no line of its own; "
        "expected one of task0, task2, task3, home"
    )


def test_a_missing_program_says_where_it_was_looked_for(app: Write) -> None:
    files = diamond()
    del files["scripts/task2.py"]
    dag = app(files)

    assert refusal(dag) == (
        f"dag.txt:4: task2 has no program in {dag.parent.resolve()}; expected one of scripts/task2.py, task2.py, "
        "scripts/task2, task2, scripts/task2.sh, task2.sh"
    )


def test_a_module_with_an_impossible_name_is_missing(app: Write) -> None:
    dag = app(one({"config.json": f'{{"taskname_map": {{"task0": ["{"x" * 300}", true]}}}}'}))

    assert "dag.txt:2: task0 has no program" in refusal(dag)


def test_a_dag_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "dag.txt") == (
        f"{tmp_path}/dag.txt: it cannot be read (No such file or directory); expected a text file"
    )
    assert refusal(tmp_path) == f"{tmp_path}: it is no regular file; expected a text file"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dag.txt")

    assert refusal(tmp_path / "dag.txt") == f"{tmp_path}/dag.txt: it is no regular file; expected a text file"


def test_ten_megabytes_of_noise_are_refused_at_once(tmp_path: Path) -> None:
    dag = tmp_path / "dag.txt"
    dag.write_bytes(random.Random(1).randbytes(10_000_000))
    begin = process_time()

    message = refusal(dag)

    assert process_time() - begin < 0.5
    assert message == f"{dag}: it has more than {CHARACTERS_MAX} bytes; expected a text file of fewer"


def test_a_binary_file_is_refused_by_its_first_odd_byte(tmp_path: Path) -> None:
    dag = tmp_path / "dag.txt"
    dag.write_bytes(b"\x89PNG\r\n\x1a\n")

    assert refusal(dag) == f"{dag}:1: the byte 0x89 at offset 0 is not UTF-8; expected a text file"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("scripts/config.json", "{", "scripts/config.json:1: no JSON"),
        ("config.json", '{"taskname_map": 1}', "config.json:1: taskname_map is a int"),
        ("nodes.txt", "home\n", "nodes.txt:1: the line is home; expected `node hostname`"),
        ("input_node.txt", "task node\ntask0\n", "input_node.txt:2: the line is task0"),
        ("name_convert.txt", "task0\n", "name_convert.txt:1: the line is task0"),
    ],
)
def test_an_error_in_a_companion_names_it_and_its_line(app: Write, name: str, text: str, message: str) -> None:
    assert refusal(app({**diamond(), name: text})).startswith(message)


# What is wrong with a module


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "",
            "scripts/task0.py: the module defines no `task`; expected `def task(file_or_list, pathin, pathout)`",
        ),
        ("def tusk(a, b, c): pass\n", "scripts/task0.py: the module defines no `task`"),
        ("class A:\n    def task(a, b, c): pass\n", "scripts/task0.py: the module defines no `task`"),
        ("def main():\n    def task(a, b, c): pass\n", "scripts/task0.py: the module defines no `task`"),
        ("task: int\n", "scripts/task0.py: the module defines no `task`"),
        ("x = 1\nprint 'old'\n", "scripts/task0.py:2: Python 3."),
        ("def task(:\n", "scripts/task0.py:1: Python 3."),
        ("x = 1\0\n", "scripts/task0.py"),
        ("x = " + "(" * 100_000, "scripts/task0.py:1: Python 3."),
        ("x = " + "-" * 50_000 + "1", "scripts/task0.py: Python 3."),
        (
            "\n\ndef task(a, b): pass\n",
            "scripts/task0.py:3: `task` takes 2 arguments; expected `def task(file_or_list",
        ),
        (
            "def task(q, i, o, name): pass\n",
            "scripts/task0.py:1: `task` takes 4 arguments (Jupiter's fifth version, with",
        ),
        ("def task(a, b, c, *, d): pass\n", "scripts/task0.py:1: `task` takes 3 arguments; expected"),
        ("async def task(a, b, c): pass\n", "scripts/task0.py:1: `task` is an asynchronous function; expected"),
        ("x = 1\n" * 1_000_000, "scripts/task0.py: more than 4194304 bytes; expected a Python module"),
    ],
    ids=lambda text: text[:20],
)
def test_a_module_that_could_not_be_called_is_refused(app: Write, text: str, message: str) -> None:
    assert refusal(app(one({"scripts/task0.py": text}))).startswith(message)


@pytest.mark.parametrize(
    "text",
    [
        "def task(a, b, c, d=1, *, e=2): pass\n",
        "def task(*args): pass\n",
        "def task(a, /, b, c, **rest): pass\n",
        "def task(a): pass\ndef task(a, b, c): pass\n",
        "@decorated\ndef task(a): pass\n",
        "from shared import task\n",
        "from shared import work as task\n",
        "from shared import *\n",
        "import shared.task as task\n",
        "task = make()\n",
        "task: object = make()\n",
        "class task: pass\n",
        "try:\n    import numpy\nexcept ImportError:\n    pass\nelse:\n    def task(a, b, c): pass\n",
        "if x:\n    def task(a, b, c): pass\n",
        "match x:\n    case 1:\n        def task(a, b, c): pass\n",
        "pattern = '\\d'\ndef task(a, b, c): pass\n",  # Python warns of the escape; that is not our business
        "# -*- coding: latin-1 -*-\ndef task(a, b, c): pass\n",
    ],
    ids=lambda text: text[:20],
)
def test_a_module_may_come_by_its_task_in_any_way(app: Write, text: str) -> None:
    load_application(app(one({"scripts/task0.py": text})))


def test_a_module_is_read_and_not_run(app: Write) -> None:
    load_application(app(one({"scripts/task0.py": "raise SystemExit(1)\n" + MODULE})))


def test_a_path_of_jupiters_containers_is_pointed_out(app: Write) -> None:
    text = "open('/centralized_scheduler/communication.txt')\n" + MODULE
    application = load_application(app(one({"scripts/task0.py": text})))

    assert "scripts/task0.py speaks of /centralized_scheduler, which was a directory of Jupiter's containers" in (
        application.notices
    )


def test_a_program_that_is_a_link_out_of_the_application_is_refused(app: Write, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.py").write_text(MODULE)
    dag = app(one({"scripts/other.py": MODULE}))
    (dag.parent / "scripts/task0.py").symlink_to(tmp_path / "elsewhere.py")

    assert refusal(dag) == (
        "scripts/task0.py: task0 runs it, but scripts/task0.py is a link out of the application and is not shipped; "
        "expected a file that can travel with the job"
    )


# Hints


def test_hints_come_from_the_dag_file_and_input_node_and_nodes_txt_says_who_that_is(app: Write) -> None:
    dag = app(
        {
            **diamond(),
            "dag.txt": DIAMOND + "task0 node1\ntask3 node1\n",
            "input_node.txt": "task\tnode\ntask0\tnode2 node9\nother node1\n",
            "nodes.txt": "home ubuntu-0 root PASSWORD\nnode1 ubuntu-1\nnode2 ubuntu-2\n",
        }
    )

    application = load_application(dag)

    assert application.dag.by_name["task0"].hint == ("node2", "ubuntu-2", "node9", "node1", "ubuntu-1")
    assert application.dag.by_name["task3"].hint == ("node1", "ubuntu-1")
    assert application.dag.by_name["task1"].hint == ()
    assert application.notices[:2] == (
        "asked for by the application's files, and a hint to the mapper: "
        "task0 on node2 or node9 or node1, task3 on node1",
        "input_node.txt: ignored, because they are no tasks of the DAG: other",
    )
    assert "nodes.txt" not in shipped(application)  # it may hold passwords


def test_nodes_txt_alone_is_ignored_and_that_is_said(app: Write) -> None:
    application = load_application(app({**diamond(), "nodes.txt": "home a\nnode1 b\n"}))

    assert application.notices[0] == "nodes.txt: not needed, nodes find each other by themselves"


# Input


def test_directories_stand_for_their_visible_files_in_the_order_of_people(app: Write, tmp_path: Path) -> None:
    given = tmp_path / "in"
    (given / "below").mkdir(parents=True)
    for name in ("input10.txt", "input9.txt", "Input1", ".hidden", "a", "below/deep"):
        (given / name).write_text("")
    (tmp_path / "single").write_text("")

    application = load_application(app(diamond()), [tmp_path / "single", given])

    assert [path.name for path in application.inputs] == ["single", "Input1", "a", "input9.txt", "input10.txt"]
    assert application.notices == (f"{given}: 1 directories in it are left out",)


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a1", "a2", "a10", "b"],
        ["1", "2", "10", "a"],
        ["a01", "a1", "a02"],
        ["x1y2", "x1y10", "x2"],
        ["a9", "²"],
    ],
)
def test_numbers_are_compared_as_numbers(names: list[str]) -> None:
    assert sorted(sorted(names), key=natural_order) == names


def test_an_input_that_cannot_be_looked_for_is_named(app: Write) -> None:
    assert refusal(app(diamond()), (Path("x" * 300),)) == f"{'x' * 300}: cannot be read: File name too long"


def test_more_inputs_than_a_job_can_have_are_refused(
    app: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "FILES_MAX", 1)
    (tmp_path / "2.txt").write_text("")
    dag = app(diamond())

    assert refusal(dag, (dag.parent / "sample_input", tmp_path / "2.txt")) == (
        f"{tmp_path}/2.txt: more than 1 input files; expected fewer, in several jobs"
    )


def test_an_input_that_is_not_there_is_named(app: Write, tmp_path: Path) -> None:
    assert (
        refusal(app(diamond()), (tmp_path / "no",)) == f"{tmp_path}/no: no such input; expected a file or a directory"
    )


def test_an_empty_input_directory_is_refused(app: Write, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/.hidden").write_text("")

    assert refusal(app(diamond()), (tmp_path / "in",)) == (
        f"{tmp_path}/in: the input directory has no files; expected at least one that is not hidden"
    )


def test_an_input_that_is_no_file_is_refused(app: Write, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert refusal(app(diamond()), (tmp_path / "pipe",)) == (
        f"{tmp_path}/pipe: the input is no regular file; expected a file or a directory"
    )


@pytest.mark.parametrize("name", ["a\nb", os.fsdecode(b"\xff")])
def test_an_input_whose_name_cannot_travel_is_refused(app: Write, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")

    assert "the input has a name that cannot travel; expected a UTF-8 name" in refusal(
        app(diamond()), (tmp_path / name,)
    )


def test_two_inputs_of_one_name_are_refused(app: Write, tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text("")
    dag = app(diamond())

    assert refusal(dag, (tmp_path / "1.txt", dag.parent / "sample_input")) == (
        "the job's input has two files called '1.txt', expected different names: files keep their names "
        "and lie in one directory"
    )


def test_inputs_that_do_not_make_items_are_refused_before_anything_is_sent(app: Write) -> None:
    dag = app({**diamond(), "dag.txt": DIAMOND.replace("task0 1", "task0 2")})

    assert refusal(dag).startswith(
        "the job's input has 1 file with the key '1' (1.txt), expected 2, which task0 takes"
    )


def test_name_convert_makes_the_items(app: Write) -> None:
    dag = app(
        {
            **diamond(),
            "dag.txt": DIAMOND.replace("task0 1", "task0 2"),
            "name_convert.txt": "task0 out part\ninput out whole\n",
            "sample_input/1.txt": "",
            "sample_input/1part-b.txt": "",
        }
    )
    (dag.parent / "sample_input/1.txt").rename(dag.parent / "sample_input/1part-a.txt")

    application = load_application(dag)

    files = [FileRef(path.name, 0, digest_of(b"")) for path in application.inputs]
    assert [item.key for item in application.items(files)] == ["1whole"]


def test_a_module_cannot_do_without_input(app: Write) -> None:
    files = diamond()
    del files["sample_input/1.txt"]

    assert refusal(app(files)) == (
        "dag.txt: there is no input for task0; expected --input FILE or a directory sample_input with files in it"
    )
    maker = app({**files, "make_input.py": ""}).with_name("make_input.py")
    assert refusal(maker.with_name("dag.txt")).endswith(f"with files in it ('{maker} DIR' makes one)")


def test_a_program_may_do_without_input(app: Write) -> None:
    application = load_application(app({"dag.txt": ONE, "scripts/task0.sh": SCRIPT}))

    assert application.inputs == ()
    assert application.notices == ("no input is given, and the application has no sample_input",)
    assert [item.key for item in application.items([])] == ["input"]


# The native form

NATIVE = """\
[task.first]
command = ["sh", "tools/first.sh"]
children = ["second"]

[task.second]
module = "second.py"
"""


def test_a_native_graph_is_found_with_its_files(app: Write) -> None:
    dag = app({"dag.toml": NATIVE, "tools/first.sh": "true\n", "second.py": MODULE, "sample_input/1": ""})

    application = load_application(dag)

    assert application.name == "app"
    assert programs(application) == {"first": command("sh", "tools/first.sh"), "second": module("second.py")}
    assert shipped(application) == ["dag.toml", "second.py", "tools/first.sh"]


def test_a_native_graph_may_name_the_job_and_ship_nothing(app: Write) -> None:
    application = load_application(app({"dag.TOML": 'name = "survey"\n[task.a]\ncommand = ["date"]\n', "other": ""}))

    assert application.name == "survey"
    assert application.files == ()


def test_a_native_graph_ships_its_scripts_alone_if_all_programs_are_there(app: Write) -> None:
    dag = app({"dag.toml": '[task.a]\ncommand = ["scripts/a.sh"]\n', "scripts/a.sh": SCRIPT, "other": ""})

    assert shipped(load_application(dag)) == ["scripts/a.sh"]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('module = "no.py"', "dag.toml:1: task.a.module names no.py, which is not in {root}; expected a file of the"),
        ('module = "../x.py"', "dag.toml:1: task.a.module names ../x.py, which is not in {root}; expected a file"),
        ('module = "/x.py"', "dag.toml:1: task.a.module names /x.py, which is not in {root}; expected a file"),
        ('command = ["./no"]', "dag.toml:1: task.a.command names ./no, which is not in {root}; expected a file"),
        ('command = ["text"]', "dag.toml:1: a runs text, which cannot be executed; expected a program (chmod +x)"),
        ('module = "text"', "text:1: Python 3."),
        (
            'command = ["text.sh", ".hidden/x"]',
            ".hidden/x: a runs it, but .hidden/x is not shipped; expected a file that",
        ),
        ("cores = 1", "dag.toml:1: task.a has neither `command` nor `module`; expected one of the two"),
    ],
)
def test_a_native_graph_whose_files_are_not_there_is_refused(app: Write, keys: str, message: str) -> None:
    dag = app({"dag.toml": f"[task.a]\n{keys}\n", "text": "not a program", "text.sh": "", ".hidden/x": ""})

    assert refusal(dag, (dag,)).startswith(message.format(root=dag.parent.resolve()))


def test_a_program_on_the_path_of_the_node_is_not_looked_for_here(app: Write) -> None:
    dag = app({"dag.toml": '[task.a]\ncommand = ["/opt/tool/bin/run", "-x"]\n'})

    assert programs(load_application(dag))["a"] == command("/opt/tool/bin/run", "-x")
