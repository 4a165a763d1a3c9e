// Simulation only: writes every beat of a stream to a file, one hexadecimal number a line.
//
// Parameters: WIDTH bits of a beat; FILE name of the file.
// Ports: data, valid, ready of the stream that is watched.
module eq_tap #(
    parameter WIDTH = 8,
    parameter FILE  = "stream.tap"
) (
    input wire             clk,
    input wire             rst,
    input wire [WIDTH-1:0] data,
    input wire             valid,
    input wire             ready
);
    integer file;
    initial file = $fopen(FILE, "w");
    always @(posedge clk)
        if (!rst && valid && ready)
            $fwrite(file, "%h\n", data);
endmodule
