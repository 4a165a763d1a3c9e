// A stand-in for a network behind the host link: out[i] = in[i] + 1, of the first OUT_BEATS codes, after DELAY cycles.
// An input that starts with the code HANG is swallowed and never answered, one that starts with SLOW takes 20000 cycles.
module uart_stub #(
    parameter CLK_HZ = 1000000,
    parameter BAUD = 125000,
    parameter IDLE_CYCLES = 8000,
    parameter IN_BITS = 8,
    parameter IN_BEATS = 24,
    parameter OUT_BITS = 8,
    parameter OUT_BEATS = 10,
    parameter [31:0] ID = 32'd0,
    parameter DELAY = 100,
    parameter HANG = 119,
    parameter SLOW = 118
) (
    input  clk,
    input  rst,
    input  rx,
    output tx,
    output busy
);
    wire core_rst, m_valid, s_ready;
    wire [IN_BITS-1:0] m_data;

    reg [OUT_BITS-1:0] kept[0:OUT_BEATS-1];
    integer taken = 0, given = 0, waited = 0;
    reg hang = 0, slow = 0;
    wire [31:0] delay = slow ? 20000 : DELAY;
    wire m_ready = taken < IN_BEATS;
    wire s_valid = taken == IN_BEATS && waited == delay && given < OUT_BEATS;
    wire [IN_BITS-1:0] sum = m_data + 1'b1;

    always @(posedge clk) begin
        if (m_valid && m_ready) begin
            if (taken < OUT_BEATS) kept[taken] <= sum;
            if (taken == 0) hang <= m_data == HANG;
            if (taken == 0) slow <= m_data == SLOW;
            taken <= taken + 1;
        end
        if (taken == IN_BEATS && !hang && waited < delay) waited <= waited + 1;
        if (s_valid && s_ready) begin
            given <= given + 1;
            if (given == OUT_BEATS - 1) begin
                taken  <= 0;
                given  <= 0;
                waited <= 0;
            end
        end
        if (rst || core_rst) begin
            taken  <= 0;
            given  <= 0;
            waited <= 0;
            hang   <= 0;
        end
    end

    eq_uart_host #(
        .CLK_HZ(CLK_HZ), .BAUD(BAUD), .IDLE_CYCLES(IDLE_CYCLES), .IN_BITS(IN_BITS), .IN_BEATS(IN_BEATS),
        .OUT_BITS(OUT_BITS), .OUT_BEATS(OUT_BEATS), .ID(ID)
    ) link (
        .clk(clk), .rst(rst), .rx(rx), .tx(tx), .core_rst(core_rst), .m_data(m_data), .m_valid(m_valid),
        .m_ready(m_ready), .s_data(kept[given]), .s_valid(s_valid), .s_ready(s_ready), .busy(busy)
    );
endmodule
