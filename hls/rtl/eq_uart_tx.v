// UART transmitter: bytes to a serial line (8 data bits, no parity, 1 stop bit, least significant bit first).
//
// Parameters
//   DIV      clock cycles per bit, at least 8
// Ports
//   clk, rst rst is synchronous, active high: lets the line go idle, also in the middle of a byte
//   s_data   in, byte; s_valid in; s_ready out: high while no byte is on the line (a register's value)
//   tx       out, the line, idle high, from a flip-flop
// Latency: 1 cycle to the start bit. Initiation interval: 10 * DIV cycles.
module eq_uart_tx #(
    parameter DIV = 104
) (
    input        clk,
    input        rst,
    input  [7:0] s_data,
    input        s_valid,
    output       s_ready,
    output       tx
);
    // The timer counts up to its top bit: carry chains without a comparison.
    localparam TIMER_BITS = $clog2(DIV);
    localparam [TIMER_BITS:0] FULL = (1 << TIMER_BITS) - DIV + 1;

    reg [8:0]          shift = 9'h1ff;
    reg [3:0]          left = 4'd0;  // bits still on the line, 10 when a byte starts
    reg [TIMER_BITS:0] timer;

    wire idle = left == 0;
    assign s_ready = idle;
    assign tx = shift[0];

    always @(posedge clk) begin
        timer <= idle || timer[TIMER_BITS] ? FULL : timer + 1'b1;
        if (rst) begin
            shift <= 9'h1ff;
            left  <= 4'd0;
        end else if (idle) begin
            if (s_valid) begin
                shift <= {s_data, 1'b0};
                left  <= 4'd10;
            end
        end else if (timer[TIMER_BITS]) begin
            shift <= {1'b1, shift[8:1]};
            left  <= left - 1'b1;
        end
    end
endmodule
