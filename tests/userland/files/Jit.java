import java.util.*; import java.util.concurrent.*; import java.util.stream.*;
public class Jit {
  static int fib(int n){return n<2?n:fib(n-1)+fib(n-2);}
  static int npe(Object o){ try { return o.hashCode(); } catch(NullPointerException e){ return 7; } }
  public static void main(String[] a) throws Exception {
    System.out.println(fib(34));
    double[] x=new double[1<<16]; for(int k=0;k<100;k++) for(int i=0;i<x.length;i++) x[i]=x[i]*0.5+i;
    System.out.println(Arrays.stream(x).sum());
    HashMap<String,Long> m=new HashMap<>(); for(int i=0;i<500000;i++) m.merge("k"+(i%5000),(long)i,Long::sum);
    System.out.println(m.values().stream().mapToLong(Long::longValue).sum());
    long s=0; for(int i=0;i<2000000;i++) s+=npe(i%1000==0?null:(Object)1); System.out.println(s);
    ExecutorService e=Executors.newFixedThreadPool(4); List<Future<Integer>> f=new ArrayList<>();
    for(int i=0;i<16;i++){final int j=i; f.add(e.submit(()->{int t=0; for(int k=0;k<200;k++){ byte[][] g=new byte[100][]; for(int q=0;q<100;q++) g[q]=new byte[1000+q]; t+=g.length;} return t+j;}));}
    int t=0; for(var q:f) t+=q.get(); e.shutdown(); System.out.println(t);
    try { deep(0); } catch(StackOverflowError q){ System.out.println("so"); }
    System.out.println(IntStream.range(0,1000000).parallel().mapToLong(i->(long)i*i%7).sum());
    System.gc(); System.out.println("done");
  }
  static int deep(int n){ return deep(n+1)+1; }
}
