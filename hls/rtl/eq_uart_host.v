// Host link of a network: requests over a UART, one inference at a time (docs/fpga-protocol.md).
//
// A run frame is kept in block RAM and goes into the core only after its CRC-32 was right; the core's output becomes the
// reply. While a request is being answered, others are refused with BUSY, except reset, which ends it.
//
// Parameters
//   CLK_HZ, BAUD         clock and line rate; CLK_HZ / BAUD at least 8, its rounding below 2 %
//   IN_BITS, IN_BEATS    of the core's input stream: bits of a code (at most 32), codes in one inference
//   OUT_BITS, OUT_BEATS  of the core's output stream
//   ID                   32 bits that name the network; a run frame for another one is refused
//   IDLE_CYCLES          a pause of so many cycles ends a frame under way (0.1 s: longer than a host's scheduler naps)
// Ports
//   clk, rst             rst is synchronous, active high; without it the initial values make a good power-up as well
//   rx                   in, line from the host, asynchronous; tx out, line to the host; both idle high
//   core_rst             out, one cycle when the host asks for a reset: OR it into the core's rst (register it at will)
//   m_data, m_valid, m_ready   out, out, in: codes to the core
//   s_data, s_valid, s_ready   in, in, out: codes from the core
//   busy                 out, a request is being answered (for a LED)
module eq_uart_host #(
    parameter CLK_HZ = 12000000,
    parameter BAUD = 115200,
    parameter IN_BITS = 8,
    parameter IN_BEATS = 64,
    parameter OUT_BITS = 8,
    parameter OUT_BEATS = 10,
    parameter [31:0] ID = 32'd0,
    parameter IDLE_CYCLES = CLK_HZ / 10
) (
    input                 clk,
    input                 rst,
    input                 rx,
    output                tx,
    output reg            core_rst,
    output [IN_BITS-1:0]  m_data,
    output                m_valid,
    input                 m_ready,
    input  [OUT_BITS-1:0] s_data,
    input                 s_valid,
    output                s_ready,
    output                busy
);
    localparam DIV = (CLK_HZ + BAUD / 2) / BAUD;
    localparam IN_WIDTH = IN_BITS <= 8 ? 1 : IN_BITS <= 16 ? 2 : 4;
    localparam BYTES = IN_BEATS * IN_WIDTH;
    localparam INDEX_BITS = BYTES > 1 ? $clog2(BYTES) : 1;
    localparam [1:0] RUN = 2'd2, RESET = 2'd3, RESULT = 2'd2, STATUS = 2'd3;
    localparam [2:0] BUSY = 3'd4;

    wire [7:0]            rx_data, w_data, t_data, sequence_number;
    wire                  rx_valid, w_valid, t_valid, t_ready;
    wire [INDEX_BITS-1:0] w_index;
    wire [1:0]            kind;
    wire [2:0]            status;
    wire                  request, answering, streaming;

    reg       computing = 1'b0;  // a run was accepted and its first code has not come out yet
    reg [7:0] run_number;        // sequence number of that run
    reg       refused = 1'b0;    // a request came while the device was busy: BUSY goes out as soon as the line is free
    assign busy = answering || streaming || computing || refused;

    wire good = request && status == 0 && (!busy || kind == RESET);
    wire run = good && kind == RUN;
    wire reset_request = good && kind == RESET;
    wire refuse = request && busy && !reset_request;
    // One reply at a time: to the request at once, else BUSY, else the result that begins to come out.
    wire at_once = request && !run && !refuse;
    wire late = refused && !answering;
    wire result = computing && s_valid && !answering && !refused;

    initial core_rst = 1'b0;
    always @(posedge clk) begin
        core_rst <= reset_request && !rst;
        if (run) run_number <= sequence_number;
        if (rst || reset_request || result) computing <= 1'b0;
        else if (run) computing <= 1'b1;
        if (rst || reset_request || late) refused <= 1'b0;
        else if (refuse) refused <= 1'b1;
    end

    eq_uart_rx #(.DIV(DIV)) receiver (.clk(clk), .rst(rst), .rx(rx), .m_data(rx_data), .m_valid(rx_valid));
    eq_frame_rx #(.BYTES(BYTES), .ID(ID), .IDLE_CYCLES(IDLE_CYCLES), .INDEX_BITS(INDEX_BITS)) requests (
        .clk(clk), .rst(rst), .s_data(rx_data), .s_valid(rx_valid), .busy(busy),
        .w_data(w_data), .w_index(w_index), .w_valid(w_valid),
        .m_kind(kind), .m_sequence(sequence_number), .m_status(status), .m_valid(request)
    );
    eq_frame_buffer #(.BITS(IN_BITS), .BEATS(IN_BEATS), .WIDTH(IN_WIDTH), .INDEX_BITS(INDEX_BITS)) buffer (
        .clk(clk), .rst(rst || reset_request), .w_data(w_data), .w_index(w_index), .w_valid(w_valid),
        .start(run), .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready), .busy(streaming)
    );
    eq_frame_tx #(
        .IN_BITS(IN_BITS), .IN_BEATS(IN_BEATS), .OUT_BITS(OUT_BITS), .OUT_BEATS(OUT_BEATS), .ID(ID)
    ) replies (
        .clk(clk), .rst(rst), .start(at_once || late || result),
        .kind(at_once ? (good ? kind : STATUS) : late ? STATUS : RESULT),
        .sequence_number(at_once || late ? sequence_number : run_number), .status(at_once ? status : BUSY),
        .s_data(s_data), .s_valid(s_valid), .s_ready(s_ready),
        .t_data(t_data), .t_valid(t_valid), .t_ready(t_ready), .busy(answering)
    );
    eq_uart_tx #(.DIV(DIV)) sender (
        .clk(clk), .rst(rst), .s_data(t_data), .s_valid(t_valid), .s_ready(t_ready), .tx(tx)
    );
endmodule
