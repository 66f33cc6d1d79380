"""Sixteen threads, or four processes, that do something at once."""

from __future__ import annotations

from threading import Barrier, Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.synchronize import Barrier as ProcessBarrier
    from typing import Any

    from middleware.stores.base import Store

    Work = Callable[[Store, int, ProcessBarrier], list[int]]

THREADS = 16
PROCESSES = 4


def in_threads(work: Callable[[int], None], barrier: Barrier) -> None:
    """Run `work(number)` in 16 threads; the first error of any is raised."""
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below, where pytest sees it
            errors.append(error)
            barrier.abort()  # the others must not wait for this one

    threads = [Thread(target=guarded, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def in_processes(work: Work, opener: Callable[[], Store]) -> list[list[int]]:
    """What `work(store, number, barrier)` returns in each of 4 processes."""
    from multiprocessing import get_context

    context = get_context("spawn")  # a new process inherits nothing that the store could live on
    barrier = context.Barrier(PROCESSES)
    answers: Any = context.SimpleQueue()
    processes = [
        context.Process(target=_process, args=(work, opener, number, barrier, answers)) for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    results: list[list[int]] = []
    for _ in processes:
        assert not answers.empty(), "a process ended without an answer"
        found, error = answers.get()
        assert error is None, error
        results.append(found)
    answers.close()
    return results


def _process(
    work: Work,
    opener: Callable[[], Store],
    number: int,
    barrier: ProcessBarrier,
    answers: Any,
) -> None:
    from traceback import format_exc

    try:
        store = opener()
        try:
            found = work(store, number, barrier)
        finally:
            close(store)
    except BaseException:  # noqa: BLE001 - told to the parent, whose test fails with it
        barrier.abort()
        answers.put(([], format_exc()))
    else:
        answers.put((found, None))


def close(store: object) -> None:
    """Close a store that can be closed."""
    power = getattr(store, "close", None)
    if power is not None:
        power()
