// CRC-32 of IEEE 802.3 (that of zlib), one bit a cycle: 32 flip-flops and hardly more LUTs, for links where a byte
// takes ten bit times anyway.
//
// Ports
//   clk
//   clear    in, starts a new CRC (register to all ones) and stops what is going on; there is no other reset
//   s_data   in, byte; s_valid in, one cycle per byte, at least 9 cycles apart (not while busy)
//   next     in, shifts the register one byte to the right, to send the CRC byte by byte (not while busy)
//   busy     out, high for 8 cycles after a byte
//   value    out, the CRC of the bytes so far, inverted as the standard says: its low byte is sent first
//   good     out, high when the bytes so far end with their own CRC, low byte first
module eq_crc32 (
    input         clk,
    input         clear,
    input  [7:0]  s_data,
    input         s_valid,
    input         next,
    output        busy,
    output [7:0]  value,
    output        good
);
    localparam [31:0] POLYNOMIAL = 32'hedb88320;  // reflected: bit 31 is x^0
    localparam [31:0] RESIDUE = 32'hdebb20e3;     // the register after data and its CRC

    reg [31:0] crc;
    reg [7:0]  data;
    reg [3:0]  left = 4'd0;  // bits of the byte still to come

    wire feedback = crc[0] ^ data[0];
    assign busy  = left != 0;
    assign value = ~crc[7:0];
    assign good  = crc == RESIDUE;

    always @(posedge clk) begin
        data <= s_valid ? s_data : data >> 1;
        if (clear) left <= 4'd0;
        else if (s_valid) left <= 4'd8;
        else if (busy) left <= left - 1'b1;
        if (clear) crc <= 32'hffffffff;
        else if (next) crc <= crc >> 8;
        else if (busy) crc <= (crc >> 1) ^ (POLYNOMIAL & {32{feedback}});
    end
endmodule
