import re,random,sys,struct,os
# Random vector instructions and states for runner.c: SEED N VLEN PATTERN FILE.
seed=int(sys.argv[1]); n=int(sys.argv[2]); vlen=int(sys.argv[3]); want=sys.argv[4]; out=sys.argv[5]
random.seed(seed)
rows=[]
for l in open(os.path.join(os.path.dirname(__file__),"../../src/isa/table_v.rs")):
    m=re.match(r'\s+(\w+)\s+"([\w.]+)"\s+([\w+]+)\s+(\w+)\s+"([01. ]+)";',l)
    if m and re.search(want,m[2]) : rows.append((m[2],m[3],m[4],m[5].replace(" ","")))
DATA=0x20000000
S64=[0,1,2**64-1,1<<63,(1<<63)-1,0x3ff0000000000000,0x7ff0000000000000,0x7ff8000000000000,0x7ff4000000000000,0xfff0000000000000,0x8000000000000000,0x0000000000000001,0x000fffffffffffff,0x7fefffffffffffff,0x4330000000000000,0x43e0000000000000,0x41dfffffffc00000,0x36a0000000000000]
S32=[0,1,0xffffffff,0x80000000,0x7fffffff,0x3f800000,0x7f800000,0x7fc00000,0x7fa00000,0xff800000,0x007fffff,0x00800000,0x7f7fffff,0x4b000000,0x4f000000,0x33800000,0x7e800000,0x00200000,0x00400000]
S16=[0,1,0xffff,0x8000,0x7fff,0x3c00,0x7c00,0x7e00,0x7d00,0xfc00,0x03ff,0x0400,0x7bff,0x0100,0x0200,0x7a00,0x5bff]
def chunk():
    k=random.randrange(9)
    if k==0: return struct.pack("<Q",random.choice(S64))
    if k==1: return struct.pack("<II",random.choice(S32),random.choice(S32))
    if k==2: return struct.pack("<HHHH",*[random.choice(S16) for _ in range(4)])
    if k==3: return bytes(random.choice((0,1,0x7f,0x80,0xff,2,3)) for _ in range(8))
    if k==4: return struct.pack("<d",random.gauss(0,1e3))
    if k==5: return struct.pack("<ff",random.gauss(0,10),random.gauss(0,1e5))
    if k==6: return bytes(random.randrange(vlen//8) if i%2==0 else 0 for i in range(8))
    return os.urandom(8) if False else random.randbytes(8)
def bits(v,w): return format(v&((1<<w)-1),f"0{w}b")
with open(out,"wb") as f:
  for _ in range(n):
    mn,ext,fmt,enc=random.choice(rows)
    align=random.choice((0x1f,0x1e,0x1c,0x1c,0x18))
    XR=[5,6,7,8,9,10,11,12,13,14,15]
    rd=random.randrange(32)&align; rs1=random.randrange(32); rs2=random.randrange(32)&align
    xs={}
    vm=random.choice("01")
    b=[c if c!='.' else random.choice("01") for c in enc]
    x=[0]*32; fr=[random.choice([struct.unpack("<Q",chunk())[0], struct.unpack("<Q",chunk())[0]|0xffffffff00000000,struct.unpack("<Q",chunk())[0]|0xffffffffffff0000]) for _ in range(32)]
    for r in range(32): x[r]=random.choice([random.randrange(70),random.getrandbits(64),random.choice(S64),random.choice(S32)])
    mid=DATA+4096
    base=random.choice([DATA+1024,mid+1500+random.randrange(64),mid+1000,DATA+random.randrange(64)])
    if not re.match(r'v[ls]\dr',mn) and random.random()<.3: base=random.choice([mid-128,DATA+8192-random.randrange(600),mid-random.randrange(300)])
    if 'ff' in mn: base=random.choice([DATA+16,mid+random.randrange(100)])
    if fmt.startswith("VecMem"):
        rs1=random.choice(XR); x[rs1]=base
        if fmt=="VecMemStrided":
            rs2=random.choice([r for r in XR if r!=rs1]+[0]); x[rs2]=random.choice([0,1,2,3,4,8,12,16,-8&(2**64-1),-4&(2**64-1),20,64])
        if enc.startswith("...") and random.random()<.6: b[0:3]=list("000")
    elif fmt in("VecVx","VecMacVx","VecVxm","VecMvX","Vsetvli","R"):
        rs1=random.choice(XR+[0])
    elif fmt=="Vsetivli" or fmt.endswith("i") and fmt not in("VecMvI",): pass
    else: rs1&=align
    if fmt=="R":
        rs2=random.choice(XR); x[rs2]=random.choice([random.randrange(256),random.getrandbits(64),random.randrange(256)|1<<random.randrange(64)])
    if fmt in("VecToX","Vsetvli","Vsetivli","R"): rd=random.choice(XR+[0])
    def put(lo,hi,v):
        e=enc[31-hi:32-lo]
        if '.' in e:
            s=bits(v,hi-lo+1)
            for k in range(hi-lo+1):
                if enc[31-hi+k]=='.': b[31-hi+k]=s[k]
    put(7,11,rd); put(15,19,rs1)
    if not fmt.startswith("Vset") : put(20,24,rs2)
    if enc[6]=='.': b[6]=vm
    sew=random.choice((0,1,2,3)) if ext!="Zvbc" else random.choice((3,3,3,2))
    if ext.startswith("Zvk") and ext!="Zvkb": sew=random.choice((2,2,2,3,3,1))
    if "bf16" in mn: sew=random.choice((1,1,1,2))
    if ".vf" in mn or mn.startswith("vf") or mn.startswith("vmf"): sew=random.choice((1,2,2,3,3,0))
    lm=random.choice((0,0,0,1,2,3,7,6,5))
    lmul=lm if lm<4 else lm-8
    vtype=random.randrange(4)<<6|sew<<3|lm
    if lmul+3<sew or random.random()<.02:
        vtype=1<<63 if random.random()<.3 else 0xc0|2<<3
        sew=2; lmul=0
    vlmax=(vlen>>(sew+3))<<lmul if lmul>=0 else (vlen>>(sew+3))>>-lmul
    vl=random.choice((0,1,vlmax,vlmax,vlmax-1,random.randrange(vlmax+1)))
    if ext.startswith("Zvk") and ext!="Zvkb" and random.random()<.9: vl&=~7 if "sm3" in mn else ~3
    vstart=random.choice([0]*12+[1,2,random.randrange(vlen)])
    if re.match(r'v[ls]\dr|vmv\dr',mn): vstart=random.choice((0,0,1))
    if vstart and ext.startswith("Zvk") and ext!="Zvkb": vstart&=~3
    frm=random.choice([0,0,0,1,2,3,4]) if random.random()<.98 else random.randrange(8)
    fflags=random.choice([0,0,random.randrange(32)])
    v=b"".join(chunk() for _ in range(vlen//64*32))
    mem=random.randbytes(8192)
    word=int("".join(b),2)
    f.write(struct.pack("<5Q",vtype,vl,vstart,random.randrange(8),frm<<5|fflags)+struct.pack("<32Q",*x)+struct.pack("<32Q",*fr)+v.ljust(2048,b"\0")+mem+struct.pack("<QII",0,word,0))
