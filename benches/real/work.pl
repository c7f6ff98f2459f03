# Hashes, regular expressions, sorting, string building and calls.
sub fib { my $n = shift; return $n < 2 ? $n : fib($n - 1) + fib($n - 2) }

my $total = 0;
for my $turn (1 .. ($ARGV[0] || 10)) {
    my (%counts, $seed);
    $seed = $turn;
    for (1 .. 20000) {
        $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
        $counts{sprintf "w%x", $seed % 4096}++;
    }
    my @names = sort { $counts{$b} <=> $counts{$a} || $a cmp $b } keys %counts;
    $total += length join " ", @names[0 .. 500];
    my $text = join "\n", map { "key$_ = value " . $_ * 7 . "; # note $_" } 1 .. 4000;
    while ($text =~ /^(\w+)\s*=\s*value (\d+);\s*#\s*(.*)$/mg) { $total += $2 + length $3 }
    (my $copy = $text) =~ s/(\d+)/<$1>/g;
    $total += length $copy;
    $total += ($copy =~ tr/0-4//);
    $total += fib(15);
    my $x = 0.5;
    $x = 3.7 * $x * (1 - $x) for 1 .. 30000;
    $total += int($x * 1000);
    my @grid = map { my $i = $_; [map { $i * $_ % 17 } 0 .. 59] } 0 .. 59;
    for my $i (0 .. 59) { $total += $grid[$i][$_] * $grid[$_][$i] for 0 .. 59 }
}
print "perl $total\n";
