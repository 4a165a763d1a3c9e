// Width converter: regroups a stream of IN elements a beat into OUT elements a beat, in the same order.
//
// Parameters
//   BITS    bits of an element
//   IN,OUT  elements of an input and of an output beat; one divides the other
// Ports
//   s_*     in:  IN elements, the first in the least significant bits
//   m_*     out: OUT elements, likewise
// Latency 1 cycle after the last element that a beat needs (narrowing: 2). One beat a cycle on the narrow side.
// Reset drops what is collected.
module eq_lanes #(
    parameter BITS = 8,
    parameter IN   = 1,
    parameter OUT  = 4
) (
    input  wire                clk,
    input  wire                rst,
    input  wire [IN*BITS-1:0]  s_data,
    input  wire                s_valid,
    output wire                s_ready,
    output wire [OUT*BITS-1:0] m_data,
    output wire                m_valid,
    input  wire                m_ready
);
    generate
        if (IN == OUT) begin : same
            eq_fifo_pair #(.WIDTH(IN*BITS)) store (
                .clk(clk), .rst(rst), .s_data(s_data), .s_valid(s_valid), .s_ready(s_ready),
                .m_data(m_data), .m_valid(m_valid), .m_ready(m_ready)
            );
        end else if (IN < OUT) begin : widen
            localparam PARTS = OUT / IN;
            reg [(PARTS-1)*IN*BITS-1:0] parts;      // the oldest in the least significant bits
            reg [OUT*BITS-1:0]          word;
            reg                         full;
            wire                        last;
            wire                        take = s_valid && s_ready;

            // The word before was taken at least one cycle before the last part comes, if the reader keeps up.
            assign s_ready = !(last && full);
            assign m_data  = word;
            assign m_valid = full;

            eq_counter #(.N(PARTS)) count (.clk(clk), .rst(rst), .advance(take), .value(), .last(last));

            if (PARTS > 2) begin : shift
                always @(posedge clk)
                    if (take)
                        parts <= {s_data, parts[(PARTS-1)*IN*BITS-1:IN*BITS]};
            end else begin : hold
                always @(posedge clk)
                    if (take)
                        parts <= s_data;
            end
            always @(posedge clk) begin
                if (take && last)
                    word <= {s_data, parts};
                if (rst)
                    full <= 1'b0;
                else
                    full <= (take && last) || (full && !m_ready);
            end
        end else begin : narrow
            localparam PARTS = IN / OUT;
            reg [IN*BITS-1:0] next;                 // a word that waits
            reg               waits;
            reg [IN*BITS-1:0] word;                 // the word that is being given out, next part lowest
            reg               full;
            wire              last;
            wire              give = full && m_ready;
            wire              load = !full || (give && last);

            assign s_ready = !waits;
            assign m_data  = word[OUT*BITS-1:0];
            assign m_valid = full;

            eq_counter #(.N(PARTS)) count (.clk(clk), .rst(rst), .advance(give), .value(), .last(last));

            always @(posedge clk) begin
                if (!waits)
                    next <= s_data;
                if (load)
                    word <= next;
                else if (give)
                    word <= word >> (OUT*BITS);
                if (rst) begin
                    waits <= 1'b0;
                    full  <= 1'b0;
                end else begin
                    waits <= waits ? !load : s_valid;
                    if (load)
                        full <= waits;
                end
            end
        end
    endgenerate
endmodule
