// UART receiver: serial line (8 data bits, no parity, 1 stop bit, least significant bit first) to bytes.
//
// Parameters
//   DIV      clock cycles per bit, at least 8; the sender's bit time may differ by 2 %
// Ports
//   clk, rst rst is synchronous, active high: drops the byte being received
//   rx       in, the line, idle high; asynchronous (two flip-flops take it into the clock domain)
//   m_data   out, byte, right in the cycle of m_valid only
//   m_valid  out, high for one cycle per byte. There is no m_ready: a line cannot be asked to wait.
// A start bit shorter than half a bit is a glitch and ignored. A byte whose stop bit is low is dropped: framing is
// lost, and what is above (eq_frame_rx) notices by length or CRC. A line held low for ever gives no byte at all.
// Latency: 9.5 bit times from the falling edge of the start bit. Initiation interval: 10 bit times.
module eq_uart_rx #(
    parameter DIV = 104
) (
    input            clk,
    input            rst,
    input            rx,
    output     [7:0] m_data,
    output reg       m_valid
);
    // The timer counts up to its top bit: carry chains without a comparison.
    localparam TIMER_BITS = $clog2(DIV);
    localparam [TIMER_BITS:0] FULL = (1 << TIMER_BITS) - DIV + 1;
    localparam [TIMER_BITS:0] HALF = (1 << TIMER_BITS) - DIV / 2 + 1;

    reg [1:0]          line = 2'b11;
    reg                active = 1'b0;
    reg [3:0]          left;   // 9: start bit, 8..1: data, 0: stop bit
    reg [TIMER_BITS:0] timer;
    reg [7:0]          data;

    wire level = line[1];
    wire sample = active && timer[TIMER_BITS];
    assign m_data = data;

    always @(posedge clk) begin
        line    <= {line[0], rx};
        timer   <= !active ? HALF : sample ? FULL : timer + 1'b1;
        m_valid <= sample && left == 0 && level && !rst;
        if (!active) left <= 4'd9;
        else if (sample) left <= left - 1'b1;
        if (sample && left != 0) data <= {level, data[7:1]};
        if (rst) active <= 1'b0;
        else if (!active) active <= !level;
        else if (sample && (left == 0 || (left == 9 && level))) active <= 1'b0;
    end
endmodule
