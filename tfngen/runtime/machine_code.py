"""Functions written in LLVM's terms, for what Python or Numba would take too long to do."""

from __future__ import annotations

import llvmlite.binding as llvm

_engines: list[llvm.ExecutionEngine] = []


def address_of_function(text: str, name: str) -> int:
    """Compile a module for this processor; where its function `name` begins, until the process ends."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu, features = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu, features, opt=2)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(text), machine)
    engine.finalize_object()
    _engines.append(engine)  # the code lives as long as its engine
    return int(engine.get_function_address(name))
