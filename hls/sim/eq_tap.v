// Simulation only: writes every beat of a stream to a file, one hexadecimal number a line.
//
// Parameters: WIDTH bits of a beat; FILE name of the file; TOTAL beats that are awaited.
// Ports: data, valid, ready of the stream that is watched; done: TOTAL beats have passed.
module eq_tap #(
    parameter WIDTH = 8,
    parameter FILE  = "stream.tap",
    parameter TOTAL = 1
) (
    input wire             clk,
    input wire             rst,
    input wire [WIDTH-1:0] data,
    input wire             valid,
    input wire             ready,
    output reg             done
);
    integer file, count;
    initial begin
        file  = $fopen(FILE, "w");
        count = 0;
        done  = 1'b0;
    end
    always @(posedge clk)
        if (!rst && valid && ready) begin
            $fwrite(file, "%h\n", data);
            count = count + 1;
            done <= (count >= TOTAL);
        end
endmodule
