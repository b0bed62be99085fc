"""What people type by habit, and what says the same here: words of timm, torchvision's references, Lightning and its
Hydra template, composer, mmpretrain, Hugging Face and Keras. Data alone; cli/habits.py answers by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Synonym:
    """`words`: of others, with _ for -, in lower case. `here`: what to type, {} standing for the user's value; "": it
    is not needed or not here, and `why` says so. `cases`: other answers for some values, in lower case; one that does
    not begin with a key and an equals sign is a sentence. `unit`: how the value is brought into ours, a name of
    units.UNITS. `sample`: a value by which the tests try it."""

    words: str
    here: str = ""
    why: str = ""
    cases: Mapping[str, str] = field(default_factory=dict)
    unit: str = "as it is"
    sample: str = "3"


OFF = ("false", "none", "null", "no", "0", "0.0", "off")
ON = ("true", "yes", "1", "on", "")


def _off(answer: str) -> dict[str, str]:
    return dict.fromkeys(OFF, answer)


def _on(answer: str) -> dict[str, str]:
    return dict.fromkeys(ON, answer)


FRESH = "leave it out: a network begins fresh unless weights= is given"
CONTINUES = "the same command with the same run=NAME continues where it was stopped"
WHOLE_RUN = "a run trains for all its epochs, and keeps the best checkpoint beside the last one: leave it out"
COUNTED = "classes are counted in the data, and the classifier is made for them: leave it out"
EVERY_DEVICE = "every visible GPU is used, each by one process: leave it out, or give processes=N"
NODES = "nodes are the launcher's: `srun` or `torchrun` starts the processes, and they join (docs/cluster.md)"
FIXED = "data are normalised as the network's file says, by arch.mean=[R,G,B] and arch.std=[R,G,B]"
WRITTEN = "metrics.jsonl and TensorBoard's files are in the run's folder; logger=[tensorboard,wandb] is the other"
OWN_FILES = "give data=FOLDER with the data set's own files; data=sample has bundled images"
PARTS = "max_steps=N stops after so many optimiser steps, and max_eval_images=N evaluates on fewer images"
AT_BASE = "it is stated at optimizer.base_batch images; with optimizer.scaling=none it is taken as it is"
GLOBAL = "the GLOBAL batch, over all processes"

SYNONYMS: tuple[Synonym, ...] = (
    # length
    Synonym("max_epochs num_epochs n_epochs epoch nb_epochs num_train_epochs nepochs max_epoch", "epochs={}"),
    Synonym("max_duration train_duration", "epochs={}", unit="duration", sample="10ep"),
    Synonym("max_iters max_iter num_steps total_steps num_iterations iterations max_train_steps", "max_steps={}",
            "a trial: the rate is that of the whole run"),
    Synonym("start_epoch initial_epoch", why=CONTINUES),
    Synonym("early_stopping early_stop patience early_stopping_patience earlystopping", why=WHOLE_RUN),
    Synonym("limit_train_batches overfit_batches limit_val_batches limit_test_batches train_subset_num_batches "
            "eval_subset_num_batches max_train_samples max_eval_samples num_sanity_val_steps steps_per_epoch "
            "validation_steps", why=PARTS),
    Synonym("dry_run", why="`cnnbench train --dry-run ...` checks a run and says what it will need, without training"),
    Synonym("fast_dev_run smoke_test", "debug=fast", cases=_off("leave it out: it is off")),
    Synonym("debug", cases=_on("debug=fast") | _off("debug=null"), sample="true"),
    Synonym("max_time", "max_hours={}", unit="hours", sample="00:12:00:00"),
    # rate and optimiser
    Synonym("lr learning_rate base_lr lr_init initial_lr init_lr blr max_lr arch.lr", "optimizer.lr={}", AT_BASE,
            sample="0.1"),
    Synonym("wd weight_decay l2 l2_reg weightdecay", "optimizer.weight_decay={}", sample="0.0001"),
    Synonym("momentum", "optimizer.momentum={}", sample="0.9"),
    Synonym("nesterov", "optimizer.nesterov={}", unit="switch", sample="true"),
    Synonym("betas opt_betas", "optimizer.betas={}", unit="list", sample="[0.9,0.999]"),
    Synonym("opt optim optimizer_name optim_name solver optimizer.type optimizer.name optimizer.opt optimizer._target_",
            "optimizer={}", unit="name", sample="adamw"),
    Synonym("optimizer", cases={"momentum": "optimizer=sgd", "sgd_nesterov": "optimizer=nesterov",
                                "nag": "optimizer=nesterov", "decoupledsgdw": "optimizer=sgd",
                                "decoupledadamw": "optimizer=adamw", "adamw_torch": "optimizer=adamw",
                                "rmsproptf": "optimizer=tensorflow_rmsprop", "fusedlamb": "optimizer=lamb",
                                "tf_rmsprop": "optimizer=tensorflow_rmsprop"}, unit="name", sample="momentum"),
    Synonym("layer_decay llrd layerwise_lr_decay", "optimizer.layer_decay={}", sample="0.7"),
    Synonym("norm_weight_decay bias_weight_decay no_weight_decay_on_norms exclude_bias_and_norm",
            "optimizer.decay_norms=false optimizer.decay_biases=false", sample="0.0"),
    Synonym("bias_lr_factor bias_lr_mult", "optimizer.bias_lr={}"),
    Synonym("head_lr classifier_lr", why="optimizer.classifier_lr= is a factor on the rate, such as 10"),
    Synonym("clip_grad clip_grad_norm clip_gradients gradient_clip_val max_grad_norm grad_clip gradient_clipping "
            "clipping_threshold clipnorm global_clipnorm optimizer.clip", "clip_norm={}",
            "the largest norm of the whole gradient", cases=_off("clip_norm=null"), sample="1.0"),
    Synonym("gradient_clip_algorithm clip_mode", why="gradients are clipped by the norm of all, clip_norm=N"),
    Synonym("auto_scale_lr auto_lr_find scale_lr", why="the rate follows the batch: optimizer.scaling=linear is the "
            "default, sqrt and none are the others"),
    # schedule
    Synonym("sched scheduler lr_scheduler lr_scheduler_type lr_schedule lr_policy schedule_name scheduler.type "
            "lr_scheduler.type", "schedule={}", unit="name", sample="cosine"),
    Synonym("schedule", cases={"onecycle": "schedule=one_cycle", "onecyclelr": "schedule=one_cycle",
                               "cosineannealinglr": "schedule=cosine", "cosine_annealing": "schedule=cosine",
                               "cosineannealing": "schedule=cosine", "cosine_with_warmup": "schedule=cosine",
                               "cosinewithwarmup": "schedule=cosine", "cosine_warmup": "schedule=cosine",
                               "steplr": "schedule=step", "multisteplr": "schedule=multi_step",
                               "multistep": "schedule=multi_step", "exponentiallr": "schedule=exponential",
                               "reducelronplateau": "schedule=plateau", "reduce_on_plateau": "schedule=plateau",
                               "poly": "schedule=polynomial", "polynomiallr": "schedule=polynomial",
                               "none": "schedule=constant", "fixed": "schedule=constant"}, unit="name",
            sample="onecycle"),
    Synonym("warmup warmup_epochs lr_warmup_epochs num_warmup_epochs warmup_length t_warmup",
            "schedule.warmup_epochs={}", unit="duration", sample="2"),
    Synonym("warmup_steps num_warmup_steps warmup_iters warmup_updates warmup_ratio", why="warm-up is given in epochs, "
            "parts of one too: schedule.warmup_epochs=0.5"),
    Synonym("lr_warmup_method", "schedule.warmup={}", sample="linear"),
    Synonym("lr_warmup_decay", "schedule.warmup_start={}", sample="0.01"),
    Synonym("warmup_lr", why="the rate at the first step is a factor here: schedule.warmup_start=0.01"),
    Synonym("milestones decay_milestones lr_steps lr_milestones", "schedule=multi_step schedule.milestones={}",
            unit="list", sample="[2,6]"),
    Synonym("lr_gamma decay_rate lr_decay_rate lr_decay", "schedule=step schedule.gamma={}",
            "or with schedule=multi_step", sample="0.1"),
    Synonym("lr_step_size step_size decay_epochs lr_decay_epochs", "schedule=step schedule.step_epochs={}",
            sample="30"),
    Synonym("min_lr lr_min eta_min final_lr", why="the rate at the end is a factor here: schedule.final=0.01"),
    # batch and accumulation
    Synonym("batch_size train_batch_size global_train_batch_size global_batch_size bs b batchsize train_bs "
            "mini_batch_size total_batch_size", "batch={}", GLOBAL, sample="64"),
    Synonym("per_device_train_batch_size samples_per_gpu batch_size_per_gpu per_gpu_batch_size device_batch_size "
            "batch_size_per_device local_batch_size", "batch={}", f"{GLOBAL}: times the number of GPUs", sample="64"),
    Synonym("val_batch_size eval_batch_size test_batch_size validation_batch_size per_device_eval_batch_size "
            "global_eval_batch_size valid_batch_size", "eval_batch={}", sample="64"),
    Synonym("accumulate_grad_batches grad_accum_steps gradient_accumulation_steps accum_steps accum_iter "
            "grad_accumulation grad_accum update_freq accumulation_steps", "accumulate={}",
            "parts of the GLOBAL batch, which stays as it is", sample="4"),
    Synonym("device_train_microbatch_size microbatch_size", why="accumulate=N cuts the batch of a process into N "
            "parts; batch= is the GLOBAL batch"),
    # network
    Synonym("model arch_name model_name backbone net network architecture a model_name_or_path model.name model.arch "
            "model.type model._target_ model.net model.backbone", "arch={}", unit="network", sample="ResNet-18"),
    Synonym("arch", cases={}, unit="network", sample="ResNet-18"),
    Synonym("pretrained use_pretrained pretrained_weights imagenet_pretrained load_pretrained pretrained_backbone "
            "init_weights", "weights={}", cases=_on("weights=torchvision") | _off(FRESH)
            | dict.fromkeys(("imagenet", "imagenet1k", "imagenet_1k", "imagenet1k_v1", "default"),
                            "weights=torchvision"),
            sample="true"),
    Synonym("weights", cases=_on("weights=torchvision") | {"false": FRESH, "none": FRESH}
            | dict.fromkeys(("imagenet", "imagenet1k", "default"), "weights=torchvision")
            | {"imagenet1k_v1": "weights=torchvision:IMAGENET1K_V1",
               "imagenet1k_v2": "weights=torchvision:IMAGENET1K_V2"},
            sample="imagenet"),
    Synonym("initial_checkpoint pretrained_path checkpoint_file load_from finetune_from init_checkpoint "
            "pretrained_checkpoint weights_path", "weights={}", sample="torchvision"),
    Synonym("num_classes n_classes nb_classes classes num_labels data.num_classes arch.num_classes output_dim "
            "arch.options.num_classes", why=COUNTED),
    Synonym("drop dropout drop_rate dropout_rate p_dropout drop_out arch.options.dropout hidden_dropout_prob",
            "arch.dropout={}", sample="0.3"),
    Synonym("drop_path drop_path_rate stochastic_depth stochastic_depth_prob drop_connect", "arch.stochastic_depth={}",
            sample="0.1"),
    Synonym("bn_momentum", "arch.bn_momentum={}", sample="0.1"),
    Synonym("bn_eps bn_epsilon", "arch.bn_epsilon={}", sample="0.001"),
    Synonym("zero_init_residual zero_init_last zero_init_last_gamma zero_init", "arch.zero_init={}", unit="switch",
            sample="true"),
    Synonym("in_chans in_channels input_channels num_channels", "arch.in_channels={}"),
    Synonym("freeze_backbone frozen_stages freeze_encoder freeze_layers trainable_layers feature_extract linear_probe "
            "linear_probing", why="freeze=LAYER keeps all up to that layer, by a name of `cnnbench describe "
            "arch=NETWORK`, with weights=FILE; `cnnbench probe` trains a classifier on each layer"),
    Synonym("freeze", cases=_on("name the layer up to which all stays, as `cnnbench describe arch=NETWORK` does: "
            "freeze=avgpool") | _off("leave it out: all is trained"),
            sample="true"),
    Synonym("sync_bn syncbn sync_batch_norm sync_batchnorm use_sync_bn", "sync_batchnorm={}", unit="switch",
            sample="true"),
    Synonym("dist_bn", why="running statistics are the same in all processes: leave it out"),
    Synonym("split_bn", "bn_group={}", sample="32"),
    # data
    Synonym("data_dir data_path dataset_path dataset_dir root data_root root_dir imagenet_dir train_dir dataset_root "
            "datadir image_folder imagefolder data.root data.dir data.data_dir data.data_root train_data_dir "
            "data.data_path datasets_path local",
            "data={}", sample="sample"),
    Synonym("val_dir test_dir validation_dir valid_dir val_data train_split val_split data.val train_data "
            "validation_split test_split", why="data=FOLDER holds train/ and val/: one key for both"),
    Synonym("dataset dataset_name data_name datamodule dataset.name data.name data.dataset", "data={}", unit="data set",
            sample="sample"),
    Synonym("data data.path", cases=dict.fromkeys(
        ("cifar10", "cifar100", "cifar", "cifar_10", "cifar_100", "imagenet", "imagenet1k", "imagenet_1k", "ilsvrc2012",
         "mnist", "fashion_mnist", "fashionmnist", "tiny_imagenet", "imagenette"), OWN_FILES)
        | dict.fromkeys(("fake", "fakedata", "fake_data", "dummy", "random"), "data=synthetic"),
            sample="fake"),
    Synonym("num_workers n_workers dataloader_num_workers dataloader_workers workers j nworkers workers_per_gpu "
            "loader_workers", "data.workers={}", "of each training process; null: one per core"),
    Synonym("prefetch_factor prefetch", "data.prefetch={}"),
    Synonym("pin_memory pin_mem persistent_workers non_blocking drop_last shuffle use_prefetcher",
            why="the loader does what is best by itself: leave it out"),
    Synonym("img_size input_size crop_size train_crop_size val_crop_size image_resolution resolution_px res imgsz "
            "img_sz resize_size train_crop val_crop image_dim arch.input_size data.image_size data.img_size",
            "image_size={}", "the side of training and evaluation images", unit="side", sample="64"),
    Synonym("image_size", cases={}, unit="side", sample="[3,64,64]"),
    Synonym("val_resize_size crop_pct test_resize_size eval_crop_pct", why="arch.crop_ratio=0.875 is image_size / "
            "short side after resizing"),
    Synonym("mean std normalize_mean normalization", why=FIXED),
    Synonym("train_interpolation resample", "arch.interpolation={}", sample="bilinear"),
    Synonym("download dataset_download", why="nothing is downloaded: " + OWN_FILES),
    Synonym("subset data_fraction train_fraction train_subset percent_train", "data.train_fraction={}", sample="0.5"),
    # augmentation
    Synonym("hflip horizontal_flip random_flip flip hflip_prob augment.hflip augment.horizontal_flip "
            "random_horizontal_flip", "augment.flip.p={}", cases=_on("augment.flip.p=0.5") | _off("augment.flip.p=0"),
            sample="0.5"),
    Synonym("augment.flip", "augment.flip.p={}", cases=_on("augment.flip.p=0.5") | _off("augment.flip.p=0"),
            sample="false"),
    Synonym("vflip vertical_flip", why="there is no vertical flip: none of the papers mirrors images top to bottom"),
    Synonym("mixup mixup_alpha augment.mixup_alpha augment.mixup use_mixup", "augment.mixup.p=1 augment.mixup.alpha={}",
            cases=_off("augment.mixup.p=0") | {"true": "augment.mixup.p=1"}, sample="0.2"),
    Synonym("cutmix cutmix_alpha augment.cutmix_alpha augment.cutmix use_cutmix",
            "augment.cutmix.p=1 augment.cutmix.alpha={}",
            cases=_off("augment.cutmix.p=0") | {"true": "augment.cutmix.p=1"}, sample="1.0"),
    Synonym("mixup_prob mixup_switch_prob cutmix_minmax mixup_mode mixup_off_epoch", why="augment.mixup.p= and "
            "augment.cutmix.p= are the probabilities that a batch is mixed, and each batch draws one of the two"),
    Synonym("smoothing label_smooth labelsmoothing label_smooth_val loss_smoothing", "label_smoothing={}",
            sample="0.1"),
    Synonym("auto_augment autoaugment aa rand_augment randaugment randaug auto_augment_policy trivialaugment "
            "trivial_augment augmix ta_wide ra augment.policy", "augment.policy.p=1 augment.policy.kind={}",
            unit="policy", cases=_off("augment.policy.p=0"), sample="rand-m9-mstd0.5"),
    Synonym("augment augmentation augmentations aug", cases=dict.fromkeys(
        ("randaugment", "rand_augment", "ra"), "augment.policy.p=1 augment.policy.kind=randaugment")
        | dict.fromkeys(("autoaugment", "auto_augment", "imagenet", "aa"),
                        "augment.policy.p=1 augment.policy.kind=autoaugment")
        | dict.fromkeys(("trivialaugment", "ta_wide", "ta"), "augment.policy.p=1 augment.policy.kind=trivialaugment")
        | {"augmix": "augment.policy.p=1 augment.policy.kind=augmix", "mixup": "augment.mixup.p=1",
           "cutmix": "augment.cutmix.p=1"} | _off("augment=none") | {"true": "augment=standard"}, unit="name",
            sample="randaugment"),
    Synonym("no_aug no_augment", "augment=none", cases={"false": "leave it out"}, sample="true"),
    Synonym("color_jitter colorjitter jitter augment.color_jitter augment.jitter",
            "augment.jitter.p=1 augment.jitter.brightness={} augment.jitter.contrast={} augment.jitter.saturation={}",
            cases=_off("augment.jitter.p=0") | {"true": "augment.jitter.p=1"}, sample="0.4"),
    Synonym("reprob random_erase random_erasing erasing erase_prob random_erasing_prob augment.erase",
            "augment.erase.p={}", cases=_off("augment.erase.p=0") | {"true": "augment.erase.p=0.25"}, sample="0.25"),
    Synonym("remode", "augment.erase.p=0.25 augment.erase.fill={}", unit="fill", sample="pixel"),
    Synonym("scale rrc_scale random_resized_crop augment.scale",
            "augment.crop.kind=random_resized augment.crop.scale={}", unit="list", sample="[0.35,1]"),
    Synonym("ratio rrc_ratio augment.ratio", "augment.crop.kind=random_resized augment.crop.ratio={}", unit="list",
            sample="[0.75,1.33]"),
    Synonym("ra_magnitude randaug_magnitude ra_sampler", why="augment.policy.p=1 augment.policy.magnitude=9 is "
            "RandAugment's strength, augment.repeats=3 its repeated images"),
    Synonym("aug_repeats ra_reps num_repeats repeated_aug", "augment.repeats={}"),
    # loss
    Synonym("criterion loss_fn loss_name loss_function objective", "loss={}", unit="name", sample="cross_entropy"),
    Synonym("loss", cases=dict.fromkeys(("ce", "crossentropy", "crossentropyloss", "xent", "categorical_crossentropy",
            "sparse_categorical_crossentropy", "softmax"), "loss=cross_entropy")
            | dict.fromkeys(("binary_cross_entropy", "bcewithlogitsloss", "bcewithlogits", "binary_crossentropy"),
                            "loss=bce"), unit="name", sample="ce"),
    Synonym("bce_loss", "loss=bce", cases={"false": "loss=cross_entropy"}, sample="true"),
    Synonym("bce_target_thresh", "loss=bce bce_threshold={}", sample="0.2"),
    # averages
    Synonym("ema model_ema use_ema ema_model", "average=ema", cases=_off("average=none"), sample="true"),
    Synonym("ema_decay model_ema_decay average.ema_decay", "average=ema average.decay={}", sample="0.999"),
    Synonym("model_ema_steps ema_steps", "average=ema average.every={}", sample="32"),
    Synonym("swa stochastic_weight_avg use_swa", "average=polyak", cases=_off("average=none"), sample="true"),
    Synonym("average", cases=_on("average=ema") | {"false": "average=none", "swa": "average=polyak"}, sample="swa"),
    # arithmetic and devices
    Synonym("amp use_amp mixed_precision fp16 native_amp half apex_amp autocast", "precision=auto",
            "bf16 on a GPU that has it", cases=_off("precision=float32") | {"fp16": "precision=fp16",
            "bf16": "precision=bf16", "mixed_float16": "precision=fp16", "mixed_bfloat16": "precision=bf16"},
            sample="true"),
    Synonym("bf16", "precision=bf16", cases=_off("precision=float32"), sample="true"),
    Synonym("amp_dtype torch_dtype dtype", "precision={}", unit="precision", sample="bfloat16"),
    Synonym("precision", cases={}, unit="precision", sample="16-mixed"),
    Synonym("loss_scale amp_level opt_level", why="fp16 scales its loss by itself: leave it out"),
    Synonym("tf32 allow_tf32", why="float32 on a GPU uses TensorFloat-32: leave it out"),
    Synonym("accelerator device_type", "device={}", unit="device", sample="gpu"),
    Synonym("device", cases={}, unit="device", sample="gpu"),
    Synonym("gpus devices num_gpus num_gpu n_gpus ngpus gpu nproc_per_node num_processes world_size nproc num_devices",
            "processes={}", "one process per GPU", unit="how many", sample="2",
            cases={"auto": EVERY_DEVICE, "-1": EVERY_DEVICE, "0": "device=cpu", "all": EVERY_DEVICE}),
    Synonym("gpu_ids gpu_id visible_devices", why="choose GPUs by the environment: CUDA_VISIBLE_DEVICES=0,1"),
    Synonym("num_nodes nnodes nodes node_rank master_addr master_port dist_url dist_backend local_rank rank "
            "rdzv_endpoint", why=NODES),
    Synonym("strategy distributed_backend distributed ddp parallel fsdp deepspeed use_ddp multiprocessing_distributed "
            "launcher", why=EVERY_DEVICE + "; each holds the whole network, and gradients are averaged"),
    Synonym("no_cuda cpu use_cpu", "device=cpu", cases={"false": "device=auto"}, sample="true"),
    Synonym("torchcompile torch_compile use_compile compile_config", "compile=true", cases=_off("compile=false"),
            sample="true"),
    Synonym("torchscript jit", why="`cnnbench export form=torch_export` or form=onnx writes the network as a graph"),
    Synonym("use_channels_last memory_format", "channels_last=true", cases=_off("channels_last=false"), sample="true"),
    Synonym("gradient_checkpointing grad_checkpointing activation_checkpointing use_checkpoint checkpointing",
            "memory=save", cases=_off("memory=keep"), sample="true"),
    Synonym("benchmark cudnn_benchmark cudnn.benchmark",
            why="cuDNN is measured unless deterministic=true: leave it out"),
    Synonym("use_deterministic_algorithms full_determinism deterministic_mode", "deterministic=true",
            cases=_off("deterministic=false"), sample="true"),
    Synonym("manual_seed random_seed seed_everything random_state", "seed={}", cases={"true": "seed=0"}),
    # runs, checkpoints, logs
    Synonym("output_dir output save_dir work_dir log_dir default_root_dir save_folder out_dir outdir results_dir "
            "exp_dir run_dir paths.output_dir dirpath hydra.run.dir logdir save_path", "run={}",
            "the folder of the run", sample="foo"),
    Synonym("name run_name exp_name experiment_name exp project_name task_name job_name task id", "run={}",
            "runs/NAME is its folder", sample="foo"),
    Synonym("experiment", "recipe={}", "as a Hydra template has it; timm's names the run, which is run=NAME",
            unit="recipe", sample="quick"),
    Synonym("config config_name config_file cfg cn recipe_name preset hparams yaml", "recipe={}",
            "a recipe is one file: `cnnbench recipes` lists them", unit="recipe", sample="quick",
            cases=dict.fromkeys(("train", "config", "default", "base"),
                                "each command has its own config: leave it out")),
    Synonym("resume resume_from_checkpoint ckpt_path autoresume auto_resume load_path resume_from resume_path "
            "resume_from_ckpt restart checkpoint_path ckpt last_ckpt load_checkpoint", why=CONTINUES
            + "; weights=FILE begins with the weights of a file"),
    Synonym("overwrite save_overwrite overwrite_output_dir force",
            why="a run is never overwritten: give another run=NAME"),
    Synonym("save_interval save_freq checkpoint_hist save_total_limit save_top_k checkpoint_interval "
            "save_every_n_epochs save_every_epoch", "keep_every={}",
            "epochs between checkpoints that are kept; `last` and `best` always are"),
    Synonym("save_steps save_every_n_steps", "save_every={}", sample="500"),
    Synonym("enable_checkpointing save_last save_best save_strategy save_images", why="`last` and `best` are kept by "
            "themselves: leave it out"),
    Synonym("log_interval print_freq log_every_n_steps logging_steps log_freq log_every_n print_interval "
            "log_every_steps", why="a terminal has a bar; elsewhere log_every=10 is seconds between two lines"),
    Synonym("eval_interval val_every eval_every check_val_every_n_epoch val_interval eval_freq validate_every "
            "eval_epochs test_interval eval_every_n_epochs validation_interval", "evaluate_every={}", "in epochs",
            sample="2", unit="duration"),
    Synonym("val_check_interval eval_steps evaluation_strategy eval_strategy", why="evaluation comes at the end of "
            "epochs: evaluate_every=N"),
    Synonym("wandb use_wandb log_wandb", "logger=[tensorboard,wandb]", cases=_off("leave it out: it is off"),
            sample="true"),
    Synonym("wandb_project wandb.project", why="logger=[tensorboard,wandb], and the project by the variable "
            "WANDB_PROJECT"),
    Synonym("mlflow comet neptune clearml report_to tracker trackers", why=WRITTEN),
    Synonym("tensorboard use_tensorboard tb log_tb", "logger=[tensorboard]", cases=_off("logger=[]"), sample="true"),
    Synonym("logger loggers", cases=_off("logger=[]") | _on("logger=[tensorboard]")
            | {"tensorboard": "logger=[tensorboard]", "trace": "logger=[trace]", "wandb": "logger=[wandb]",
               "csv": WRITTEN, "mlflow": WRITTEN, "many_loggers": WRITTEN},
            sample="tensorboard"),
    Synonym("profiler profile use_profiler", "debug=profile", cases=_off("leave it out: it is off"), sample="true"),
    Synonym("progress_bar enable_progress_bar verbose quiet disable_tqdm tqdm", why="a terminal has a bar, and "
            "elsewhere log_every=N is seconds between two lines"),
    Synonym("callbacks plugins hooks default_hooks algorithms", why="there are no callbacks: average=, augment=, "
            "clip_norm= and the other keys of `cnnbench train --help` are all there is"),
    Synonym("evaluate test_only eval_only e validate test do_eval", why="`cnnbench eval run=NAME`, or arch=NETWORK "
            "weights=FILE data=PATH, evaluates without training"),
    Synonym("do_train train", why="leave it out: `cnnbench train` trains, and evaluates after each epoch"),
    Synonym("tta test_time_augmentation", why="`cnnbench eval run=NAME protocol=flip` averages an image and its mirror "
            "image; docs/evaluation.md has all protocols"),
    Synonym("hub_model_id push_to_hub push_to_hub_model_id", why="nothing is uploaded: `cnnbench export run=NAME` "
            "writes the network as a file"),
    Synonym("trainer lit_module lightning_module", why="there is one trainer: leave it out"),
    Synonym("tags extras ignore_warnings enforce_tags print_config", why="leave it out: `--cfg job` prints the config"),
    Synonym("metrics monitor topk metric_for_best_model load_best_model_at_end", why="top-1 and top-5 error are "
            "counted, and the checkpoint `best` is that of the lowest top-1 error"),
)  # fmt: skip

# Groups of others in which keys of ours stand: trainer.max_epochs is max_epochs.
GROUPS = (
    *("trainer", "training", "train", "training_args", "train_args", "train_cfg", "model", "model_args", "data"),
    *("datamodule", "dataset", "data_args", "dataloader", "train_dataloader", "train_dataset", "loader", "optim"),
    *("optimizer", "optimizers", "optim_wrapper", "scheduler", "schedulers", "lr_scheduler", "cfg", "args", "logger"),
    *("callbacks", "hparams", "params", "runner", "env_cfg", "arch", "arch.options", "augment", "network", "config"),
    *("dataset_args", "hyperparameters", "experiment", "module", "paths"),
)

# Commands of others.
COMMANDS = {
    "fit": "train",
    "finetune": "train recipe=finetune weights=FILE",
    "fine_tune": "train recipe=finetune weights=FILE",
    "resume": "train run=NAME, as at its start: it continues",
    "tune": "train --multirun",
    "sweep": "train --multirun",
    "pretrained": "zoo weights=true",
    "test": "eval run=NAME",
    "validate": "eval run=NAME",
    "val": "eval run=NAME",
    "evaluate": "eval run=NAME",
    "benchmark": "bench",
    "profile": "bench profile=true",
    "summary": "describe",
    "info": "describe",
    "models": "zoo",
    "list": "zoo",
    "list_models": "zoo",
    "infer": "predict",
    "inference": "predict",
    "classify": "predict",
    "visualize": "look",
    "plot": "report",
    "results": "report",
    "configs": "recipes",
    "onnx": "export form=onnx",
    "download": "data=FOLDER: nothing is downloaded",
}
