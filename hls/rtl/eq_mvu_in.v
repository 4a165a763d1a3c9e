// Input of an engine: counts the words of a vector, takes the last one only with a credit, and marks words on their way.
//
// Parameters
//   DEPTH, WORDS         words of a vector (of one fold); words until the weights begin again
//   DELAY                cycles from the word to the product that is added up
// Ports
//   s_valid, s_ready     in:  handshake of the words; s_ready depends on flip-flops only
//   credit               in:  the FIFO at the output has room for the results of a vector
//   address              out: place of this word's weights
//   take_last            out: the last word of a vector is taken
//   valid, first         out: DELAY cycles behind a word: add its product; it is the first of its vector
//   last                 out: one cycle later: the sum of a vector is complete
// Initiation interval 1 word. Reset: the first word of the first vector.
module eq_mvu_in #(
    parameter DEPTH = 9,
    parameter WORDS = 36,
    parameter DELAY = 3,
    parameter ABITS = (WORDS > 1) ? $clog2(WORDS) : 1
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             s_valid,
    output wire             s_ready,
    input  wire             credit,
    output wire [ABITS-1:0] address,
    output wire             take_last,
    output wire             valid,
    output wire             first,
    output wire             last
);
    wire last_word;
    wire take = s_valid && s_ready;
    reg  fresh;                             // the next word is the first of a vector
    assign s_ready   = !last_word || credit;
    assign take_last = take && last_word;

    eq_counter #(.N(DEPTH)) words (.clk(clk), .rst(rst), .advance(take), .value(), .last(last_word));
    eq_counter #(.N(WORDS)) where (.clk(clk), .rst(rst), .advance(take), .value(address), .last());

    reg [DELAY-1:0] taken, begun;
    reg [DELAY:0]   ended;
    assign valid = taken[DELAY-1];
    assign first = begun[DELAY-1];
    assign last  = ended[DELAY];
    always @(posedge clk)
        if (rst) begin
            fresh <= 1'b1;
            taken <= 0;
            begun <= 0;
            ended <= 0;
        end else begin
            if (take)
                fresh <= last_word;
            taken <= {taken, take};
            begun <= {begun, fresh};
            ended <= {ended, take_last};
        end
endmodule
