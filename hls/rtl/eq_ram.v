// Memory with one write port and one registered read port.
//
// Parameters
//   WIDTH, DEPTH   bits of a word, and words
//   STYLE          "block", "distributed", or "auto": distributed up to 32 words
// Ports
//   write, write_address, write_data   in:  a word to store at this edge
//   read, read_address                 in:  fetch a word at this edge; a word written at the same edge is not seen
//   read_data                          out: the fetched word, kept until the next fetch
// Latency 1 cycle. No reset: the contents are undefined until written.
module eq_ram #(
    parameter WIDTH = 8,
    parameter DEPTH = 512,
    parameter STYLE = "auto",
    parameter BITS  = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
    input  wire             clk,
    input  wire             write,
    input  wire [BITS-1:0]  write_address,
    input  wire [WIDTH-1:0] write_data,
    input  wire             read,
    input  wire [BITS-1:0]  read_address,
    output reg  [WIDTH-1:0] read_data
);
    generate
        if (STYLE == "block" || (STYLE == "auto" && DEPTH > 32)) begin : block
            (* ram_style = "block" *) reg [WIDTH-1:0] words [0:DEPTH-1];
            always @(posedge clk) begin
                if (write)
                    words[write_address] <= write_data;
                if (read)
                    read_data <= words[read_address];
            end
        end else begin : distributed
            // No attribute: it would be an error on devices without distributed RAM (iCE40).
            reg [WIDTH-1:0] words [0:DEPTH-1];
            always @(posedge clk) begin
                if (write)
                    words[write_address] <= write_data;
                if (read)
                    read_data <= words[read_address];
            end
        end
    endgenerate
endmodule
