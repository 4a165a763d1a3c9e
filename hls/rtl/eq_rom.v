// Read-only memory with a registered read, filled from a file.
//
// Parameters
//   WIDTH, DEPTH   bits of a word, and words
//   FILE           memory file for $readmemh: DEPTH words
//   STYLE          "block" (block RAM), "distributed" (look-up tables), or "auto" (the synthesiser decides)
// Ports
//   address        in:  word to fetch at this edge
//   data           out: the word, one cycle later
// Latency 1 cycle. No reset.
module eq_rom #(
    parameter WIDTH = 8,
    parameter DEPTH = 512,
    parameter FILE  = "",
    parameter STYLE = "auto",
    parameter BITS  = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
    input  wire             clk,
    input  wire [BITS-1:0]  address,
    output reg  [WIDTH-1:0] data
);
    generate
        if (STYLE == "block") begin : block
            (* rom_style = "block", ram_style = "block" *) reg [WIDTH-1:0] words [0:DEPTH-1];
            initial $readmemh(FILE, words);
            always @(posedge clk)
                data <= words[address];
        end else if (STYLE == "distributed") begin : distributed
            (* rom_style = "distributed", ram_style = "logic" *) reg [WIDTH-1:0] words [0:DEPTH-1];
            initial $readmemh(FILE, words);
            always @(posedge clk)
                data <= words[address];
        end else begin : auto
            reg [WIDTH-1:0] words [0:DEPTH-1];
            initial $readmemh(FILE, words);
            always @(posedge clk)
                data <= words[address];
        end
    endgenerate
endmodule
