// eq_lines: a function of 16 bits by lines between the entries of a table, as TensorFlow Lite's. Part of eq_softmax_lines.
//
// value = entry j + floor(((entry j + 1 - entry j) * f + 64) / 128), j = floor(at / 128) + 256, f = at modulo 128
//
// TABLE      file of 512 words of 31 bits: {next entry less this one, two's complement, 16; this one, unsigned, 15}
//
// clk, rst   in   clock; synchronous reset of the valid bits
// ask, at    in   argument, two's complement, 16 bits, one a cycle
// valid, value  out  six cycles later, registered; 15 bits, unsigned
// The product is `*` of 16 and 8 bits.
module eq_lines #(
    parameter TABLE = ""
) (
    input  wire        clk,
    input  wire        rst,
    input  wire        ask,
    input  wire [15:0] at,
    output wire        valid,
    output reg  [14:0] value
);
    // 1: entry's number. 2: entry. 3: again, block RAMs are slow to answer. 4: product. 5: rounded. 6: value.
    reg [8:0] place_1;
    reg [6:0] part_1, part_2, part_3;
    reg [30:0] entry_3;
    reg [14:0] entry_4, entry_5;
    reg signed [23:0] product_4, rounded_5;
    reg [6:1] age;
    wire [30:0] entry;
    wire signed [7:0] part = {1'b0, part_3};
    wire signed [15:0] difference = entry_3[30:15];
    assign valid = age[6];
    eq_rom #(.WIDTH(31), .DEPTH(512), .FILE(TABLE)) table_rom (.clk(clk), .address(place_1), .data(entry));
    always @(posedge clk) begin
        place_1 <= {!at[15], at[14:7]};
        {part_3, part_2, part_1} <= {part_2, part_1, at[6:0]};
        entry_3 <= entry;
        {entry_5, entry_4} <= {entry_4, entry_3[14:0]};
        product_4 <= difference * part;
        rounded_5 <= product_4 + 24'sd64;
        value <= entry_5 + rounded_5[21:7];             // between two entries: 15 bits
        age <= rst ? 6'd0 : {age[5:1], ask};
    end
    wire unused = &{1'b0, rounded_5};
endmodule
