// Simulation driver for Verilator: a clock for the module `bench`, which ends the simulation itself.
#include "Vbench.h"
#include "verilated.h"

int main(int argc, char **argv) {
    VerilatedContext context;
    context.commandArgs(argc, argv);
    Vbench bench(&context);
    while (!context.gotFinish()) {
        bench.clk = !bench.clk;
        bench.eval();
        context.timeInc(1);
    }
    bench.final();
    return 0;
}
