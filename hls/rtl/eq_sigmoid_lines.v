// eq_sigmoid_lines: sigmoid or tanh of an argument by lines between the entries of a table (operator sigmoid_lines).
//
// v = entry j * 2^b + (entry j + 1 - entry j) * f, j = floor(|u| / 2^b), f = |u| modulo 2^b; then as the operator says:
// sigmoid (b 9): r = v / 2^10 half up, 2^15 - 1 for j = 255; m = r for u >= 0, 2^15 - r below.
// tanh    (b 8): r = v / 2^8 half up, 2^16 - 1 for j = 255; m = r - 2^15 for u >= 0, 2^15 - r below.
//
// TANH      0: sigmoid, 1: tanh
// TABLE     file of 256 words of 33 bits: {next entry less this one, two's complement, 17; this one, unsigned, 16}
//
// clk, rst  in   clock; synchronous reset
// s_*       in   argument u, two's complement, 18 bits, saturated to -255 * 2^b..255 * 2^b; s_ready is a flip-flop
// m_*       out  16 bits, two's complement, 15 of them behind the point, saturated, registered
// The product is `*` of 17 and 10 bits. Initiation interval 1, latency 10.
module eq_sigmoid_lines #(
    parameter TANH  = 0,
    parameter TABLE = ""
) (
    input  wire        clk,
    input  wire        rst,
    input  wire [17:0] s_data,
    input  wire        s_valid,
    output wire        s_ready,
    output wire [15:0] m_data,
    output wire        m_valid,
    input  wire        m_ready
);
    localparam B = TANH != 0 ? 8 : 9, DROP = TANH != 0 ? 8 : 10, ROOM = 16;
    localparam [16:0] MOST = TANH != 0 ? 17'd65535 : 17'd32767, BELOW = 17'd32768, ABOVE = TANH != 0 ? 17'd32768 : 17'd0;
    localparam [27:0] HALF = 28'd1 << (DROP - 1);

    wire credit;
    wire start = s_valid && credit;
    assign s_ready = credit;
    eq_credit #(.ROOM(ROOM)) credits (.clk(clk), .rst(rst), .take(start), .give(m_valid && m_ready), .ready(credit));

    // 1: magnitude. 2: entry. 3: entry again, block RAMs are slow to answer. 4: product. 5: v. 6: r. 7: y. 8: saturated.
    reg [17:0] magnitude_1;
    reg [B-1:0] part_2, part_3;
    reg [32:0] entry_3;
    reg signed [27:0] product_4;
    reg [15:0] entry_4;
    reg [27:0] v_5;
    reg [16:0] r_6;
    reg signed [17:0] y_7;
    reg [15:0] y_8;
    reg [7:1] negative;
    reg [5:2] beyond;
    reg [8:1] valid;
    wire [32:0] entry;
    wire signed [B:0] part = {1'b0, part_3};
    wire signed [16:0] difference = entry_3[32:16];
    wire [27:0] shifted = v_5 >> DROP;
    eq_rom #(.WIDTH(33), .DEPTH(256), .FILE(TABLE)) table_rom (.clk(clk), .address(magnitude_1[B +: 8]), .data(entry));
    always @(posedge clk) begin
        magnitude_1 <= s_data[17] ? -s_data : s_data;
        {part_3, part_2} <= {part_2, magnitude_1[B-1:0]};
        entry_3 <= entry;
        entry_4 <= entry_3[15:0];
        product_4 <= difference * part;
        v_5 <= ({12'd0, entry_4} << B) + product_4 + HALF;
        r_6 <= beyond[5] ? MOST : shifted[16:0];
        y_7 <= negative[6] ? {1'b0, BELOW} - {1'b0, r_6} : {1'b0, r_6} - {1'b0, ABOVE};
        y_8 <= y_7 > 18'sd32767 ? 16'h7fff : y_7[15:0];   // never below -32768
        negative <= {negative[6:1], s_data[17]};
        beyond <= {beyond[4:2], magnitude_1[B +: 8] == 8'd255};
        valid <= rst ? 8'd0 : {valid[7:1], start};
    end

    wire fifo_ready;                                    // credits: always
    wire unused = &{1'b0, fifo_ready, magnitude_1, shifted};
    eq_fifo #(.WIDTH(16), .DEPTH(ROOM)) fifo (
        .clk(clk), .rst(rst), .s_data(y_8), .s_valid(valid[8]), .s_ready(fifo_ready),
        .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready));
endmodule
