// A serial line around a design in Verilator: commands on stdin, what the design sent on stdout, in simulated time.
//
// Commands, one a line:  send HEX   queue bytes for the design's receiver
//                        run N      simulate until a byte arrives, at most N cycles: answers "CYCLES HEX"
//                        reset      pulse the design's reset for four cycles (designs that have one)
//                        low N      hold the line low for N cycles (a break, or a glitch)
// Argument: clock cycles per bit of this end of the line (a fraction is fine: the two ends have different clocks).
// design.h defines what this design calls its ports: CLOCK, RX, TX, and RESET where it has one.
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <iostream>
#include <memory>
#include <string>

#include "Vdesign.h"
#include "design.h"
#include "verilated.h"

struct Sender {
    double bit, left = 0;
    std::deque<bool> levels;  // of the bits to come
    bool level = true;
    void queue(uint8_t byte) {
        levels.push_back(false);
        for (int i = 0; i < 8; i++) levels.push_back((byte >> i) & 1);
        levels.push_back(true);
    }
    bool step() {
        if (left < 1) {
            if (levels.empty()) {
                left = 0;
                return level = true;
            }
            level = levels.front();
            levels.pop_front();
            left += bit;
        }
        left -= 1;
        return level;
    }
};

struct Receiver {
    double bit, left = 0;
    int bits = 0;  // still to sample, 0: waiting for a start bit
    unsigned shift = 0;
    bool before = true;
    int broken = 0;  // bytes without a stop bit
    bool step(bool level, uint8_t& byte) {
        bool fell = before && !level;
        before = level;
        if (bits == 0) {
            if (fell) bits = 9, left = 1.5 * bit, shift = 0;
            return false;
        }
        left -= 1;
        if (left >= 1) return false;
        left += bit;
        bits--;
        if (bits > 0) {
            shift |= unsigned(level) << (8 - bits);
            return false;
        }
        broken += !level;
        byte = uint8_t(shift);
        return level;
    }
};

struct Bench {
    std::unique_ptr<VerilatedContext> context{new VerilatedContext};
    std::unique_ptr<Vdesign> top{new Vdesign{context.get()}};
    Sender sender;
    Receiver receiver;
    long low = 0;
    explicit Bench(double bit) : sender{bit}, receiver{bit} { top->RX = 1; }
    bool cycle(uint8_t& byte) {
        bool level = sender.step();
        if (low > 0) low--, level = false;
        top->RX = level;
        top->CLOCK = 0;
        top->eval();
        top->CLOCK = 1;
        top->eval();
        return receiver.step(top->TX, byte);
    }
    void reset(int cycles) {
#ifdef RESET
        uint8_t byte;
        top->RESET = 1;
        while (cycles--) cycle(byte);
        top->RESET = 0;
#endif
    }
    void run(long most) {
        static const char digits[] = "0123456789abcdef";
        uint8_t byte;
        long done = 0;
        bool some = false;
        while (done < most && !some) done++, some = cycle(byte);
        std::cout << done << ' ';
        if (some) std::cout << digits[byte >> 4] << digits[byte & 15];
        std::cout << std::endl;
    }
};

int main(int, char** argv) {
    Bench bench(std::atof(argv[1]));
    bench.reset(4);
    std::string command, text;
    while (std::cin >> command) {
        if (command == "reset") {
            bench.reset(4);
            continue;
        }
        std::cin >> text;
        if (command == "run") bench.run(std::stol(text));
        else if (command == "low") bench.low += std::stol(text);
        else if (command == "send")
            for (size_t i = 0; i + 1 < text.size(); i += 2)
                bench.sender.queue(uint8_t(std::stoi(text.substr(i, 2), nullptr, 16)));
        else return 1;
    }
    return 0;
}
