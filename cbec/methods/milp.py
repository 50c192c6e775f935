"""Mixed-integer programs for HiGHS: one form of arrays, PuLP below 100,000 variables, highspy itself above.

What comes back carries HiGHS' own status, bound and gap; an answer cut off by the clock is never called an optimum.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cbec.core.errors import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: Models of so many variables go to HiGHS without PuLP's objects, which take a microsecond or ten for each of them.
LARGE = 100_000
GAP = 1e-4
#: HiGHS takes no coefficient of this size.
TOO_LARGE = 1e15


@dataclass
class Model:
    """Minimise constant + cost x over lower <= x <= upper and rows low <= a x <= high.

    Columns come in blocks (`add`), rows one by one (`row`); a row with a name is told when it makes the model
    infeasible.
    """

    cost: list[Floats] = field(default_factory=list)
    lower: list[Floats] = field(default_factory=list)
    upper: list[Floats] = field(default_factory=list)
    whole: list[NDArray[np.bool_]] = field(default_factory=list)
    rows: list[tuple[Floats, Floats, float, float, str, float]] = field(default_factory=list)
    size: int = 0
    constant: float = 0.0

    def add(
        self, cost: Floats, lower: Floats | float, upper: Floats | float, *, whole: bool = False
    ) -> NDArray[np.intp]:
        """A block of columns; answers their numbers."""
        n = len(cost)
        self.cost.append(np.asarray(cost, dtype=np.float64))
        self.lower.append(np.broadcast_to(np.asarray(lower, dtype=np.float64), n))
        self.upper.append(np.broadcast_to(np.asarray(upper, dtype=np.float64), n))
        self.whole.append(np.full(n, whole))
        self.size += n
        return np.arange(self.size - n, self.size)

    def row(
        self,
        columns: Sequence[int] | Floats | NDArray[np.intp],
        values: Sequence[float] | Floats,
        low: float,
        high: float,
        name: str = "",
    ) -> None:
        """low <= sum of values x columns <= high (infinite = none)."""
        figures = np.asarray(values, dtype=np.float64)
        top = float(np.abs(figures).max(initial=0.0))
        scale = top if top >= TOO_LARGE else 1.0
        self.rows.append((np.asarray(columns), figures / scale, low / scale, high / scale, name, scale))


@dataclass(frozen=True)
class Solved:
    """x: the best found. status: optimal (within `GAP`), or feasible = stopped by the clock. bound: no answer costs less.
    gap: (cost - bound) / cost as the solver sees them, the model's constant aside."""

    x: Floats
    status: str
    cost: float
    bound: float
    gap: float


def solve(model: Model, seconds: float) -> Solved:
    """The answer of least cost. Raises NoAnswer where there is none, naming the rows and by how much they fail."""
    found = _run(model, seconds)
    if found is None:
        raise NoAnswer(
            f"no plan holds every limit: {_blame(model, seconds)}", hint="raise the limit or lower what it must cover"
        )
    return found


def _run(model: Model, seconds: float) -> Solved | None:
    engine = _by_pulp(model, seconds) if model.size < LARGE else _by_highspy(model, seconds)
    info = engine.getInfo()
    status = engine.modelStatusToString(engine.getModelStatus())
    # A primal solution of status 2 is feasible; PuLP calls a run without one optimal when the clock stopped it.
    if info.primal_solution_status != 2:
        if "nfeasible" in status or "nbounded" in status:
            return None
        raise NoAnswer(f"the solver found no plan within {seconds:g} seconds ({status})", hint="allow it more time")
    x = np.array(engine.getSolution().col_value, dtype=np.float64)
    mixed = any(part.any() for part in model.whole)
    cost = float(info.objective_function_value)
    bound = float(info.mip_dual_bound) if mixed else cost
    gap = abs(cost - bound) / max(abs(cost), 1e-9)
    word = "optimal" if status == "Optimal" else "feasible"
    return Solved(x, word, cost + model.constant, bound + model.constant, gap)


def _by_pulp(model: Model, seconds: float) -> Any:
    import pulp  # type: ignore[import-untyped]

    cost, low, high, whole = (np.concatenate(part) for part in (model.cost, model.lower, model.upper, model.whole))
    program = pulp.LpProblem("plan", pulp.LpMinimize)
    # Numbered names keep PuLP's order of columns ours.
    x = [
        program.add_variable(
            f"x{i:06d}",
            low[i],
            None if np.isinf(high[i]) else high[i],
            pulp.LpInteger if whole[i] else pulp.LpContinuous,
        )
        for i in range(model.size)
    ]
    program += pulp.LpAffineExpression(list(zip(x, cost.tolist(), strict=True)))
    for i, (columns, values, least, most, *_) in enumerate(model.rows):
        terms = pulp.LpAffineExpression(
            [(x[c], v) for c, v in zip(columns.astype(int).tolist(), values.tolist(), strict=True)]
        )
        if np.isfinite(least):
            program += (terms == least if least == most else terms >= least), f"r{i}"
        if np.isfinite(most) and least != most:
            program += terms <= most, f"s{i}"
    program.solve(pulp.HiGHS(msg=False, timeLimit=seconds, gapRel=GAP, threads=1))
    return program.solverModel


def _by_highspy(model: Model, seconds: float) -> Any:
    import highspy

    engine: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    for name, value in (("output_flag", False), ("time_limit", float(seconds)), ("mip_rel_gap", GAP), ("threads", 1)):
        engine.setOptionValue(name, value)
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = model.size, len(model.rows)
    program.col_cost_, program.col_lower_, program.col_upper_ = (
        np.concatenate(part) for part in (model.cost, model.lower, model.upper)
    )
    program.row_lower_, program.row_upper_ = (np.array([r[i] for r in model.rows]) for i in (2, 3))
    program.integrality_ = [
        highspy.HighsVarType.kInteger if w else highspy.HighsVarType.kContinuous for w in np.concatenate(model.whole)
    ]
    program.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    program.a_matrix_.start_ = np.concatenate([[0], np.cumsum([len(r[0]) for r in model.rows])]).astype(np.int32)
    program.a_matrix_.index_ = np.concatenate([r[0] for r in model.rows]).astype(np.int32)
    program.a_matrix_.value_ = np.concatenate([r[1] for r in model.rows])
    engine.passModel(program)
    engine.run()
    return engine


def _blame(model: Model, seconds: float) -> str:
    """Which named rows cannot hold together: the least sum of what they would have to give way, each in its own size."""
    soft = Model(
        [np.zeros(model.size)], [np.concatenate(model.lower)], [np.concatenate(model.upper)],
        [np.concatenate(model.whole)], [], model.size,
    )  # fmt: skip
    gives = []
    for columns, values, low, high, name, size in model.rows:
        if not name:
            soft.row(columns, values, low, high)
            continue
        scale = max(abs(low) if np.isfinite(low) else 0.0, abs(high) if np.isfinite(high) else 0.0, 1.0)
        over, under = soft.add(np.array([1.0, 1.0]) / scale, 0.0, np.inf)
        soft.row([*columns, over, under], [*values, -1.0, 1.0], low, high)
        gives.append((name, size, over, under))
    found = _run(soft, seconds)
    if found is None:
        return "what must be ordered breaks the limits of single items"
    broken = [(name, size * (found.x[over] + found.x[under])) for name, size, over, under in gives]
    told = [f"{name} fails by {amount:,.2f}" for name, amount in broken if amount > 1e-6]
    return "; ".join(told) or "the limits contradict each other"
