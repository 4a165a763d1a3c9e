"""Which bits where: sensitivities, allocators and costs for mixed precision, and the sweep over number formats."""
